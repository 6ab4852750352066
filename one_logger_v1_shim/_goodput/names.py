"""Which metrics of a row are looked at, and which part a phase is."""

from __future__ import annotations

from .._v1 import metrics as m
from .._v1.phases import PHASES
from . import definitions as d

#: start, end -> part. Megatron from July 2025 on writes the optimizer's names with a misspelling.
PARTS = {
    PHASES["model_init"].times: d.MODEL_INIT,
    PHASES["dataloader_init"].times: d.DATA_LOADER,
    PHASES["optimizer_init"].times: d.OPTIMIZER,
    ("app_build_optimzer_start_time", "app_build_optimzer_finish_time"): d.OPTIMIZER,
    PHASES["load_checkpoint"].times: d.LOAD_CHECKPOINT,
}
STARTS = {start: part for (start, _), part in PARTS.items()}
FINISHES = {finish: part for (_, finish), part in PARTS.items()}
#: what a row may say once in a while, beside the progress
SELDOM = frozenset(
    {
        *STARTS, *FINISHES, m.APP_START_TIME, m.APP_FINISH_TIME, m.APP_FIRST_LOG_TIME, m.APP_TRAIN_LOOP_START_TIME,
        m.APP_TRAIN_LOOP_FINISH_TIME, m.TRAIN_ITERATIONS_START, m.VALIDATION_ITERATIONS_TIME_TOTAL,
        m.SAVE_CHECKPOINT_SYNC_TIME_TOTAL, m.TRAIN_ITERATIONS_PRODUCTIVE_END, m.TRAIN_ITERATIONS_TARGET, m.APP_TAG,
        m.TRAIN_ITERATIONS_SAVE_CHECKPOINT_END, m.JOB_START_TIME, m.SAVE_CHECKPOINT_COUNT,
    }
)  # fmt: skip
#: what may tell two trainings apart
IDENTITY = (
    m.APP_TAG_RUN_NAME, m.APP_TAG_RUN_VERSION, m.APP_RUN_TYPE, m.MODEL_SEQ_LENGTH, m.GLOBAL_BATCH_SIZE, m.WORLD_SIZE,
    m.TRAIN_ITERATIONS_TARGET, m.USER, m.CLUSTER, m.JOB_NAME, m.JOBID, m.ARRAY_JOB_ID, m.ARRAY_TASK_ID,
    m.ALLOC_HOSTS, m.EXEC_HOSTS, m.SAVE_CHECKPOINT_STRATEGY,
)  # fmt: skip
#: rows without any of these tell of nothing but progress
RARE = SELDOM | frozenset(IDENTITY)
