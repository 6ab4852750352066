"""v1's named timers, in seconds of ``time.time()``."""

import time


class Timer:
    def __init__(self):
        self.start = self.finish = None
        self.reset()

    def reset(self):
        self.active = False
        self.count = 0
        self.total = self.max = 0.0
        self.min = 0.0

    def begin(self):
        if self.active:
            self.reset()  # v1 dropped the whole history of a timer that was started twice
        self.active = True
        self.start = time.time()

    def end(self):
        self.active = False
        self.finish = time.time()
        self.latest = self.finish - self.start
        self.count += 1
        self.total += self.latest
        self.max = max(self.max, self.latest)
        self.min = self.latest if self.count == 1 else min(self.min, self.latest)

    @property
    def average(self):
        return self.total / self.count if self.count else 0.0
