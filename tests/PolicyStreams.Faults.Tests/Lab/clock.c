/* Moves the wall clock of one process, as an operator or a broken time server moves that of a machine. Preloaded; CLOCK_OFFSET_FILE names a file of 8 bytes, the offset in
   seconds, which may change at any time. The monotonic clock is left alone. A wait until an instant of the wall clock ends when the moved clock says so, as it does in the kernel. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

static volatile int64_t zero, *offset = &zero;

__attribute__((constructor)) static void open_offset(void) {
  const char *path = getenv("CLOCK_OFFSET_FILE");
  int file = path ? open(path, O_RDONLY) : -1;
  void *map = file < 0 ? MAP_FAILED : mmap(NULL, 8, PROT_READ, MAP_SHARED, file, 0);
  if (map != MAP_FAILED) offset = map;
}

#define REAL(name) ({ static typeof(&name) real; if (!real) real = dlsym(RTLD_NEXT, #name); real; })

static int is_wall(clockid_t clock) { return clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE; }

int clock_gettime(clockid_t clock, struct timespec *now) {
  int result = REAL(clock_gettime)(clock, now);
  if (result == 0 && is_wall(clock)) now->tv_sec += *offset;
  return result;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
  int result = REAL(gettimeofday)(now, zone);
  if (result == 0) now->tv_sec += *offset;
  return result;
}

time_t time(time_t *at) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (at) *at = now.tv_sec;
  return now.tv_sec;
}

int timespec_get(struct timespec *now, int base) {
  int result = REAL(timespec_get)(now, base);
  if (result == TIME_UTC) now->tv_sec += *offset;
  return result;
}

/* Seconds since 1970 are many, seconds since the machine started are few: only the former are of the wall clock. */
static struct timespec real_instant(const struct timespec *at) {
  struct timespec real = *at;
  if (real.tv_sec > 1000000000) real.tv_sec -= *offset;
  return real;
}

int cnd_timedwait(cnd_t *restrict condition, mtx_t *restrict mutex, const struct timespec *restrict at) {
  struct timespec real = real_instant(at);
  return REAL(cnd_timedwait)(condition, mutex, &real);
}

int mtx_timedlock(mtx_t *restrict mutex, const struct timespec *restrict at) {
  struct timespec real = real_instant(at);
  return REAL(mtx_timedlock)(mutex, &real);
}

int pthread_cond_timedwait(pthread_cond_t *restrict condition, pthread_mutex_t *restrict mutex, const struct timespec *restrict at) {
  struct timespec real = real_instant(at);
  return REAL(pthread_cond_timedwait)(condition, mutex, &real);
}

int pthread_mutex_timedlock(pthread_mutex_t *restrict mutex, const struct timespec *restrict at) {
  struct timespec real = real_instant(at);
  return REAL(pthread_mutex_timedlock)(mutex, &real);
}

int sem_timedwait(sem_t *restrict semaphore, const struct timespec *restrict at) {
  struct timespec real = real_instant(at);
  return REAL(sem_timedwait)(semaphore, &real);
}
