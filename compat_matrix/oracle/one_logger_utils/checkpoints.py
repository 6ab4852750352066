"""The checkpoint callbacks, for :class:`~one_logger_utils.core.OneLoggerUtils`."""

from .arguments import STEP


class Checkpoints:
    """Start, end and success of a save, the last two in either order."""

    def _need_saving(self):
        assert self._saving, (
            "Checkpoint saving is not enabled. Please ensure that `is_save_checkpoint_enabled = True` in the config "
            "to enable this feature."
        )

    def on_save_checkpoint_start(self, set_barrier=False, **given):
        if not self.one_logger:
            return
        self._need_saving()
        self._begin("save_checkpoint", set_barrier)
        self._arguments("on_save_checkpoint_start", given)
        progress = self._progress()
        if self._version != "1.0.0":
            self.one_logger.log_app_tag(self._get("app_tag"))
            self._log(progress)
        self._attempts += 1
        self._log({
            "train_iterations_save_checkpoint_end": progress["train_iterations_end"],
            "save_checkpoint_count": self._attempts,
        })  # fmt: skip
        productive = {
            "train_iterations_productive_end": progress["train_iterations_end"],
            "train_samples_productive_end": progress["train_samples_end"],
            "train_iterations_time_total_productive": progress["train_iterations_time_total"],
            "validation_iterations_time_total_productive": self._timer("validation_iterations").total,
        }
        if self._throughput:
            productive["train_tflop_productive_end"] = progress["train_tflop_end"]
        # v1's flags of a step stay: a second save of it finds its success already there
        self._saves[given[STEP]] = {"productive": productive, "end": None, "success": given[STEP] in self._succeeded}

    def on_save_checkpoint_end(self, set_barrier=False, **given):
        if not self.one_logger:
            return
        self._need_saving()
        started = self._stop("save_checkpoint", set_barrier)
        self._arguments("on_save_checkpoint_end", given)
        if not started:
            return  # no window, so nothing to say about one
        timer = self._timer("save_checkpoint")
        self._synced += 1
        row = {}
        save = self._saves.get(given[STEP])  # None: the end of a step that was never started, or is closed already
        if save is not None:
            save["end"] = {"finish": timer.finish * 1000, "total": timer.total}
            if save["success"]:
                row["save_checkpoint_sync_time_total_productive"] = timer.total
                row.update(self._success_times(save))
                del self._saves[given[STEP]]
        self._log({
            **row,
            "save_checkpoint_sync_time_total": timer.total, "save_checkpoint_sync_time_min": timer.min,
            "save_checkpoint_sync_time_max": timer.max, "save_checkpoint_sync_count": self._synced,
        })  # fmt: skip

    def on_save_checkpoint_success(self, set_barrier=False, **given):
        if not self.one_logger:
            return
        self._need_saving()
        self._arguments("on_save_checkpoint_success", given)
        step = given[STEP]
        save = self._saves.get(step)
        row = {}
        if save is None or save["success"]:
            # also a step that is closed: v1's second success of a step was a KeyError of another name
            self._note(f"KeyError: 'productive_metrics:{step}' (a success without its start)")
        else:
            save["success"] = True
            self._succeeded.add(step)
            if save["end"]:
                row = self._success_times(save)
                del self._saves[step]
            if self._is_newest(step):
                self._newest_success = step
                row.update(save["productive"])
                if save["end"]:
                    row["save_checkpoint_sync_time_total_productive"] = save["end"]["total"]
        if self._get("save_checkpoint_strategy", "sync") == "async":
            self._async_successes += 1
            row["save_checkpoint_async_count"] = self._async_successes
        self._log(row)

    def _is_newest(self, step):
        try:
            return self._newest_success is None or step > self._newest_success
        except TypeError:  # steps of different kinds: nothing says that this one is older
            return True

    def _success_times(self, save):
        row = {}
        if not self._any_success:
            self._any_success = True
            row["first_saved_train_iterations_start_time"] = (self._timer("app_train_loop").start or 0) * 1000
            row["first_successful_save_checkpoint_sync_finish_time"] = save["end"]["finish"]
        row["last_successful_save_checkpoint_sync_finish_time"] = save["end"]["finish"]
        return row
