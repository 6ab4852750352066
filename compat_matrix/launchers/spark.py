"""Spark: two executors' processes, with this package in a zip file, as ``--py-files`` brings it."""

import shutil
import tempfile
from pathlib import Path

from pyspark.sql import SparkSession

import one_logger_v1_shim


def task(number):
    import one_logger_v1_shim
    from compat_matrix.launchers.job import work

    assert ".zip" in one_logger_v1_shim.__file__, one_logger_v1_shim.__file__
    work(f"run {number}")
    return number


folder = Path(tempfile.mkdtemp())
for package in (Path(one_logger_v1_shim.__file__).parent, Path(__file__).parent.parent):
    shutil.copytree(package, folder / "files" / package.name, ignore=shutil.ignore_patterns(".envs", "__pycache__"))
shutil.make_archive(str(folder / "files"), "zip", folder / "files")
spark = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false").getOrCreate()
spark.sparkContext.addPyFile(str(folder / "files.zip"))
numbers = spark.sparkContext.parallelize([0, 1], 2).map(task).collect()
assert numbers == [0, 1]
spark.stop()
shutil.rmtree(folder)
