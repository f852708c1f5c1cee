// Moves the clock of a process by GLASSHOUSE_TEST_CLOCK_OFFSET seconds, when it is preloaded. Clocks that measure durations stay
// as they are.
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t clock, struct timespec *time) {
    int result = syscall(SYS_clock_gettime, clock, time);
    const char *offset = getenv("GLASSHOUSE_TEST_CLOCK_OFFSET");
    if (result == 0 && clock == CLOCK_REALTIME && offset) {
        time->tv_sec += atoll(offset);
    }
    return result;
}
