// Moves the clock of a process when it is preloaded: by GLASSHOUSE_TEST_CLOCK_OFFSET seconds, or by as many as the file
// GLASSHOUSE_TEST_CLOCK_FILE says at that moment, as a 64-bit integer. Clocks that measure durations stay as they are.
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static int64_t constant;
static const volatile int64_t *offset = &constant;

__attribute__((constructor)) static void read_environment(void) {
    const char *seconds = getenv("GLASSHOUSE_TEST_CLOCK_OFFSET");
    const char *path = getenv("GLASSHOUSE_TEST_CLOCK_FILE");
    if (seconds) {
        constant = atoll(seconds);
    }
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file >= 0) {
        void *page = mmap(NULL, sizeof *offset, PROT_READ, MAP_SHARED, file, 0);
        if (page != MAP_FAILED) {
            offset = page;
        }
        close(file);
    }
}

int clock_gettime(clockid_t clock, struct timespec *time) {
    int result = syscall(SYS_clock_gettime, clock, time);
    if (result == 0 && clock == CLOCK_REALTIME) {
        time->tv_sec += *offset;
    }
    return result;
}
