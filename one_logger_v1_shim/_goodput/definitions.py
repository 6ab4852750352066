"""What is measured: one table, from which the reports, the JSON form and the documentation are made.

``ml-goodput-measurement`` is Google's library (names of its ``BadputType``); GoodputMeasurement is the resource of the
NVIDIA Cluster Readiness Engine (names of its status fields and of the terms in its formula).
"""

from __future__ import annotations

from dataclasses import dataclass

NOTHING = "-"


@dataclass(frozen=True)
class Definition:
    """One line of the table.

    Args:
        key: name in the JSON form; there a time has the suffix ``_ms``.
        label: name in reports.
        meaning: what it is, in words.
        formula: how it follows from v1's metrics.
        unit: in the JSON form.
        google: the nearest thing in ``ml-goodput-measurement``.
        nvcre: the nearest thing in GoodputMeasurement.
    """

    key: str
    label: str
    meaning: str
    formula: str
    unit: str
    google: str = NOTHING
    nvcre: str = NOTHING


PRODUCTIVE = "productive"
LOST_WORK = "lost_work"
NOT_SAVED = "not_saved"
MODEL_INIT = "startup_model_init"
DATA_LOADER = "startup_data_loader"
OPTIMIZER = "startup_optimizer"
STARTUP_REST = "startup_rest"
LOAD_CHECKPOINT = "load_checkpoint"
VALIDATION = "validation"
SAVE_CHECKPOINT = "save_checkpoint"
IDLE = "idle"
SHUTDOWN = "shutdown"
BETWEEN = "between_attempts"
UNKNOWN = "unknown"

#: the parts of the wall time; they add up to it
PARTS: tuple[Definition, ...] = (
    Definition(
        PRODUCTIVE, "iterations kept",
        "Training iterations whose progress is in a checkpoint that a later attempt, or the end, stands on.",
        "train_iterations_time_total at train_iterations_start of the attempt that stands on this one; for the last "
        "attempt train_iterations_time_total_productive. If no total is logged: "
        "train_iterations x train_iterations_time_msecs_avg",
        "ms", "GoodputType.TOTAL", "what t_w - t_ch - t_rm - t_re - t_save leaves",
    ),
    Definition(
        LOST_WORK, "lost work",
        "Training iterations that no later attempt stands on: those after the checkpoint from which an attempt "
        "continued, or all of an attempt whose checkpoints were not used.",
        "the last train_iterations_time_total - iterations kept, if there is a later attempt",
        "ms", "WASTED_PROGRESS_FROM_DISRUPTION", "lostWorkTimeSec (t_ch)",
    ),
    Definition(
        NOT_SAVED, "not in a checkpoint",
        "Training iterations of the last attempt that are in no successful checkpoint (yet). It is not known whether "
        "they are kept.",
        "train_iterations_time_total - train_iterations_time_total_productive of the last attempt",
        "ms", "counted as GoodputType.TOTAL", "counted as useful until an interruption",
    ),
    Definition(
        MODEL_INIT, "start-up: model",
        "Building the model.",
        "app_model_init_finish_time - app_model_init_start_time, without phases inside it",
        "ms", "TRAINING_PREP, TPU_INITIALIZATION", "part of t_rm",
    ),
    Definition(
        DATA_LOADER, "start-up: data loader",
        "Building the data loaders.",
        "app_build_dataiters_finish_time - app_build_dataiters_start_time, without phases inside it",
        "ms", "DATA_LOADING_SYNC", "part of t_rm",
    ),
    Definition(
        OPTIMIZER, "start-up: optimizer",
        "Building the optimizer.",
        "app_build_optimizer_finish_time - app_build_optimizer_start_time (Megatron also writes "
        "app_build_optimzer_...), without phases inside it",
        "ms", "TRAINING_PREP", "part of t_rm",
    ),
    Definition(
        STARTUP_REST, "start-up: the rest",
        "All else from the start of the application to the start of the training loop.",
        "app_train_loop_start_time - app_start_time - the phases, loads, validations and saves before the loop",
        "ms", "PROGRAM_STARTUP (of the first step only), OTHER", "part of t_rm",
    ),
    Definition(
        LOAD_CHECKPOINT, "loading checkpoints",
        "Loading checkpoints, in any phase.",
        "load_checkpoint_finish_time - load_checkpoint_start_time, of each load",
        "ms", "UNPRODUCTIVE_CHECKPOINT_RESTORE_TIME", "part of t_rm",
    ),
    Definition(
        VALIDATION, "validation",
        "Validation batches. The time of a validation outside its batches is idle time.",
        "validation_iterations_time_total, without saves and loads inside a batch",
        "ms", "none: a custom badput event, if the program reports one", "counted as useful",
    ),
    Definition(
        SAVE_CHECKPOINT, "standing still for saves",
        "Training waits for a save. The part of an asynchronous save that runs in the background is not counted.",
        "save_checkpoint_sync_time_total",
        "ms", "UNPRODUCTIVE_CHECKPOINT_SAVE_TIME", "t_save",
    ),
    Definition(
        IDLE, "idle in the loop",
        "Loop time that belongs to no other part: waiting for data, stragglers, callbacks. It counts up to the last "
        "logged iteration, and after it if no other iteration can have finished (the target was reached, or the time "
        "is shorter than train_iterations_time_msecs_min).",
        "app_train_loop_finish_time - app_train_loop_start_time - iterations - validation - saves - loads in the loop",
        "ms", "inside the step time: counted as GoodputType.TOTAL", "counted as useful",
    ),
    Definition(
        SHUTDOWN, "after the loop",
        "From the end of the training loop to the last sign of life, and between two loops.",
        "app_finish_time - app_train_loop_finish_time - validations, saves and loads in it",
        "ms", "OTHER", NOTHING,
    ),
    Definition(
        BETWEEN, "between attempts",
        "Nothing runs: queue, requeue, repair. It begins at the last row of an attempt, and so includes what a killed "
        "attempt did after that row.",
        "app_start_time of the next attempt - last sign of life of the previous attempt",
        "ms", "INFRASTRUCTURE_RECOVERY_FROM_DISRUPTION", "t_re",
    ),
    Definition(
        UNKNOWN, "unknown",
        "What the rows do not explain: loop time after the last logged iteration, iterations between a row that was "
        "kept and one that was lost, times that contradict each other.",
        "wall time - all other parts",
        "ms", "OTHER", NOTHING,
    ),
)  # fmt: skip

#: what is told beside the parts
FIGURES: tuple[Definition, ...] = (
    Definition(
        "wall", "wall time",
        "From the first start of the application to the last sign of life.",
        "the latest of all times in the rows - the first app_start_time (or the start of an earlier phase; "
        "app_first_log_time if there is none)",
        "ms", "total_elapsed_time", "t_w (from the first step on)",
    ),
    Definition(
        "goodput", "goodput",
        "The share of the wall time that became progress that was kept.",
        "iterations kept / wall time. It cannot be determined (null) for a finished training that logged no checkpoint",
        "0 to 1", "goodput: (total_elapsed_time - all badput) / total_elapsed_time",
        "result: (t_w - t_ch - t_rm - t_re - t_save) / (t_w - t_re)",
    ),
    Definition(
        "goodput_once_saved", "goodput once saved",
        "The goodput if all iterations that are not in a checkpoint yet are saved.",
        "(iterations kept + not in a checkpoint) / wall time",
        "0 to 1", NOTHING, NOTHING,
    ),
    Definition(
        "attempts", "attempts",
        "Runs of the program.",
        "runs, and within one run: constructions of OneLoggerUtils, and processes that resumed it",
        "count", "job starts", NOTHING,
    ),
    Definition(
        "interruptions", "interruptions",
        "Attempts that were killed or ended with an error.",
        "no app_finish_time and no clean exit, or an exit code that is not 0",
        "count", "disruption_count", "interruptionCount",
    ),
    Definition(
        "mean_time_between_interruptions", "mean time between interruptions",
        "How long the training runs until it is interrupted.",
        "(wall time - between attempts) / interruptions",
        "ms", NOTHING, NOTHING,
    ),
    Definition(
        "gpu_hours_paid", "GPU-hours paid",
        "The cost of the attempts, and of the launch of all but the first. Time in a queue is not paid.",
        "sum of (wall time of the attempt + launch) x world_size",
        "GPU-hours", NOTHING, NOTHING,
    ),
    Definition(
        "gpu_hours_kept", "GPU-hours kept",
        "The paid GPU-hours of iterations that were kept.",
        "sum of iterations kept x world_size",
        "GPU-hours", NOTHING, NOTHING,
    ),
    Definition(
        "gpu_hours_open", "GPU-hours not in a checkpoint",
        "The paid GPU-hours of iterations that are in no checkpoint (yet).",
        "sum of not in a checkpoint x world_size",
        "GPU-hours", NOTHING, NOTHING,
    ),
    Definition(
        "gpu_hours_lost", "GPU-hours lost",
        "All other paid GPU-hours.",
        "GPU-hours paid - kept - not in a checkpoint",
        "GPU-hours", NOTHING, NOTHING,
    ),
    Definition(
        "checkpoint_interval", "between checkpoints",
        "The time of training between the starts of two saves.",
        "(iterations + validation + idle in the loop) / save_checkpoint_count",
        "ms", NOTHING, NOTHING,
    ),
    Definition(
        "checkpoint_interval_best", "between checkpoints, best",
        "The interval at which saving and lost work together cost least (Young's formula).",
        "sqrt(2 x standing still for saves / save_checkpoint_count x mean time between interruptions)",
        "ms", NOTHING, NOTHING,
    ),
    Definition(
        "iteration_time_average", "iteration time, average",
        "Over all attempts, lost work included.",
        "sum of train_iterations_time_total / sum of train_iterations",
        "ms", "ideal_step_time (without outliers)", "avgStepTimeSec (without warm-up)",
    ),
    Definition(
        "iteration_time_best", "iteration time, best",
        "The shortest iteration.",
        "least train_iterations_time_msecs_min",
        "ms", NOTHING, NOTHING,
    ),
    Definition(
        "throughput_average", "throughput, average",
        "While iterations run, over all attempts.",
        "train_throughput_per_gpu, weighted by train_iterations_time_total",
        "1e12 floating point operations / s / GPU", NOTHING, "avgTFLOPSPerGPU",
    ),
    Definition(
        "throughput_best", "throughput, best",
        "v1's maximum of averages, not of single iterations.",
        "greatest train_throughput_per_gpu_max",
        "1e12 floating point operations / s / GPU", NOTHING, NOTHING,
    ),
    Definition(
        "tokens", "tokens",
        "Tokens trained on, including repeated ones.",
        "sum of train_tokens",
        "count", NOTHING, NOTHING,
    ),
    Definition(
        "iterations_lost", "lost iterations",
        "Logged iterations that no later attempt stands on.",
        "train_iterations_end - train_iterations_start of the attempt that stands on this one",
        "count", NOTHING, "highestStep - currentStep after a restart",
    ),
    Definition(
        "progress", "progress",
        "Logged iterations if the training runs or has finished, else the iterations in the last checkpoint.",
        "train_iterations_end, or train_iterations_productive_end",
        "count", "max_productive_step", "currentStep",
    ),
    Definition(
        "target", "target",
        "The number of iterations that is planned.",
        "train_iterations_target of the newest attempt",
        "count", NOTHING, NOTHING,
    ),
    Definition(
        "time_left", "time left",
        "The time until the target at the rate so far, with its losses.",
        "(target - progress) x wall time / (progress - train_iterations_start of the first attempt)",
        "ms", NOTHING, NOTHING,
    ),
)  # fmt: skip

LABELS = {one.key: one.label for one in (*PARTS, *FIGURES)}


def markdown() -> str:
    """The table for the documentation."""
    head = "| name | JSON | what it is | from v1's metrics | `ml-goodput-measurement` | GoodputMeasurement |"
    lines = [head, "|---|---|---|---|---|---|"]
    for one in (*PARTS, *FIGURES):
        key = f"`{one.key}_ms`" if one.unit == "ms" else f"`{one.key}`"
        lines.append(f"| {one.label} | {key} | {one.meaning} | {one.formula} | {one.google} | {one.nvcre} |")
    return "\n".join(lines) + "\n"
