//! The thread pool: one for the process, started by the first region that is worth it.
//!
//! A region is published under a lock; workers join it, take tasks, and leave. The caller takes part, from the first task on, and workers
//! from the last one: so two threads find most of what they wrote the last time in their own caches. Who finds nothing to do, a worker
//! without a region or a caller whose last tasks others are at, spins for some microseconds, then parks: a step of many small regions stays
//! fast, and beside a busy process no core is burnt by waiting. A worker that shares its core with that process may get the core of the
//! parked caller. A worker that finds itself on the caller's core moves to another: Linux likes to leave both on one, in turns, and the busy
//! process alone on the other (NOTES.md has figures).
//!
//! A region that is asked for while another runs (several JavaScript threads, or a task that calls a kernel) runs on its own thread. Workers
//! are never joined: at exit they are parked.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use crate::processor;

/// How long a worker looks for the next region, or a caller for the end of its own, before it parks.
const SPIN: Duration = Duration::from_micros(30);

/// More threads than this are no help to anybody.
pub(crate) const MOST_THREADS: usize = 1024;

/// One task taken from the front, by the caller, or from the back, by a worker.
const FRONT: u64 = 1;
const BACK: u64 = 1 << 32;
/// So many that every thread may ask once more in vain without a carry into the upper half.
const MOST_TASKS: usize = 1 << 31;

/// No processor.
const NOWHERE: usize = usize::MAX;

/// What one region does; lives on the caller's stack until every worker has left it.
struct Region<'a> {
    body: &'a (dyn Fn(usize) + Sync),
    tasks: usize,
    /// Tasks taken from the front, and in the upper half those from the back.
    taken: AtomicU64,
    /// Where the caller runs, as far as it is known: `NOWHERE` where that is not asked for.
    processor: AtomicUsize,
    panic: Mutex<Option<Box<dyn Any + Send>>>,
}

impl Region<'_> {
    /// The caller's part of the work.
    fn call(&self) {
        self.work(FRONT, || {
            if self.processor.load(Ordering::Relaxed) != NOWHERE {
                self.processor.store(processor::current().unwrap_or(NOWHERE), Ordering::Relaxed);
            }
        });
    }

    /// A worker's.
    fn help(&self) {
        self.work(BACK, || processor::leave(self.processor.load(Ordering::Relaxed)));
    }

    /// Takes tasks until there are none. A panic ends the region early and is kept for the caller.
    fn work(&self, end: u64, before_each: impl Fn()) {
        let result = catch_unwind(AssertUnwindSafe(|| {
            loop {
                before_each();
                let taken = self.taken.fetch_add(end, Ordering::Relaxed);
                let (front, back) = ((taken % BACK) as usize, (taken / BACK) as usize);
                if front + back >= self.tasks {
                    return;
                }
                (self.body)(if end == FRONT { front } else { self.tasks - 1 - back });
            }
        }));
        if let Err(payload) = result {
            self.taken.store(self.tasks as u64, Ordering::Relaxed);
            lock(&self.panic).get_or_insert(payload);
        }
    }
}

struct Published {
    /// The region that workers may join, its lifetime erased; taken back before the caller returns.
    region: Option<*const Region<'static>>,
    inside: usize,
    workers: usize,
    /// Whether the caller sleeps until `inside` is 0.
    awaited: bool,
}

// SAFETY: the pointer is followed only while its region is published or `inside` counts the follower.
unsafe impl Send for Published {}

struct Pool {
    published: Mutex<Published>,
    wake: Condvar,
    /// The last worker has left an awaited region.
    left: Condvar,
    /// Counts published regions: what idle workers look at.
    generation: AtomicUsize,
    inside: AtomicUsize,
    threads: AtomicUsize,
    cores: usize,
    busy: Mutex<()>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn pool() -> &'static Pool {
    static POOL: OnceLock<Pool> = OnceLock::new();
    POOL.get_or_init(|| {
        let wish = std::env::var("BIO_THREADS").ok().and_then(|text| text.parse().ok());
        Pool {
            published: Mutex::new(Published { region: None, inside: 0, workers: 0, awaited: false }),
            wake: Condvar::new(),
            left: Condvar::new(),
            generation: AtomicUsize::new(0),
            inside: AtomicUsize::new(0),
            threads: AtomicUsize::new(wish.unwrap_or_else(cores).clamp(1, MOST_THREADS)),
            cores: cores(),
            busy: Mutex::new(()),
        }
    })
}

/// Threads that a region may use, the caller included.
pub fn threads() -> usize {
    pool().threads.load(Ordering::Relaxed)
}

/// Sets `threads`; at least 1.
pub fn set_threads(threads: usize) {
    pool().threads.store(threads.clamp(1, MOST_THREADS), Ordering::Relaxed);
}

/// Runs `body(0)` to `body(tasks - 1)`, in any order and on any thread of the pool, and returns when all are done.
pub fn run(tasks: usize, body: &(dyn Fn(usize) + Sync)) {
    let pool = pool();
    let helpers = pool.threads.load(Ordering::Relaxed).min(tasks).saturating_sub(1);
    let free = if helpers == 0 || tasks > MOST_TASKS { None } else { pool.busy.try_lock().ok() };
    let Some(owned) = free else {
        (0..tasks).for_each(body);
        return;
    };
    // With more threads than cores some share one anyway.
    let known = if helpers < pool.cores { processor::current() } else { None };
    let region = Region {
        body,
        tasks,
        taken: AtomicU64::new(0),
        processor: AtomicUsize::new(known.unwrap_or(NOWHERE)),
        panic: Mutex::new(None),
    };
    publish(pool, &region, helpers);
    region.call();
    withdraw(pool);
    let panic = lock(&region.panic).take();
    // Freed first: unwinding through the guard would poison it.
    drop(owned);
    if let Some(payload) = panic {
        resume_unwind(payload);
    }
}

fn publish(pool: &'static Pool, region: &Region<'_>, helpers: usize) {
    let mut published = lock(&pool.published);
    // Only the lifetime changes: `withdraw` takes the pointer back and waits for its followers before the region ends.
    published.region = Some(std::ptr::from_ref(region).cast::<Region<'static>>());
    while published.workers < helpers {
        let name = format!("bio-kernels-{}", published.workers);
        if std::thread::Builder::new().name(name).spawn(move || worker(pool)).is_err() {
            break; // No more threads to be had: those that are there, and the caller, do the work.
        }
        published.workers += 1;
    }
    pool.generation.fetch_add(1, Ordering::Release);
    drop(published);
    pool.wake.notify_all();
}

/// Lets nobody else join, and waits for those inside.
fn withdraw(pool: &Pool) {
    lock(&pool.published).region = None;
    let start = Instant::now();
    while pool.inside.load(Ordering::Acquire) > 0 {
        if start.elapsed() > SPIN {
            let mut published = lock(&pool.published);
            published.awaited = true;
            while published.inside > 0 {
                published = pool.left.wait(published).unwrap_or_else(PoisonError::into_inner);
            }
            published.awaited = false;
            return;
        }
        std::hint::spin_loop();
    }
}

fn worker(pool: &'static Pool) {
    let mut seen = 0;
    loop {
        wait_for_news(pool, &mut seen);
        let joined = {
            let mut published = lock(&pool.published);
            let room = published.inside + 1 < pool.threads.load(Ordering::Relaxed);
            let region = published.region.filter(|_| room);
            if region.is_some() {
                published.inside += 1;
                pool.inside.fetch_add(1, Ordering::Relaxed);
            }
            region
        };
        if let Some(region) = joined {
            // SAFETY: joined under the lock while published, and `inside` keeps the caller waiting until we have left.
            unsafe { (*region).help() };
            let mut published = lock(&pool.published);
            published.inside -= 1;
            pool.inside.fetch_sub(1, Ordering::Release);
            if published.awaited && published.inside == 0 {
                pool.left.notify_one();
            }
        }
    }
}

/// Returns when a region was published that this worker has not looked at: spins for a while, then parks.
fn wait_for_news(pool: &Pool, seen: &mut usize) {
    let start = Instant::now();
    loop {
        let generation = pool.generation.load(Ordering::Acquire);
        if generation != *seen {
            *seen = generation;
            return;
        }
        if start.elapsed() > SPIN {
            break;
        }
        std::hint::spin_loop();
    }
    let mut published = lock(&pool.published);
    while pool.generation.load(Ordering::Acquire) == *seen {
        published = pool.wake.wait(published).unwrap_or_else(PoisonError::into_inner);
    }
    drop(published);
    *seen = pool.generation.load(Ordering::Acquire);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicU64;

    /// Under Miri, some hundred times slower, this part of the work.
    const SHARE: usize = if cfg!(miri) { 10 } else { 1 };

    #[test]
    fn every_task_runs_exactly_once() {
        for tasks in [0, 1, 2, 3, 17, 1000 / SHARE] {
            let counts: Vec<AtomicU64> = (0..tasks).map(|_| AtomicU64::new(0)).collect();
            run(tasks, &|task| {
                counts[task].fetch_add(1, Ordering::Relaxed);
            });
            assert!(counts.iter().all(|count| count.load(Ordering::Relaxed) == 1));
        }
    }

    #[test]
    fn a_caller_begins_with_the_first_task_and_workers_with_the_last() {
        let caller = std::thread::current().id();
        let (fronts, backs) = (Mutex::new(vec![]), Mutex::new(vec![]));
        run(100, &|task| {
            let end = if std::thread::current().id() == caller { &fronts } else { &backs };
            lock(end).push(task);
            std::thread::yield_now();
        });
        let (fronts, mut backs) = (lock(&fronts).clone(), lock(&backs).clone());
        assert!(fronts.iter().copied().eq(0..fronts.len()), "{fronts:?}");
        backs.sort_unstable();
        assert!(backs.iter().copied().eq(fronts.len()..100), "{backs:?}");
    }

    #[test]
    fn a_caller_that_has_to_park_returns_when_all_is_done() {
        for _ in 0..20 / SHARE {
            let (caller, done) = (std::thread::current().id(), AtomicU64::new(0));
            run(8, &|_| {
                if std::thread::current().id() != caller {
                    std::thread::sleep(10 * SPIN);
                }
                done.fetch_add(1, Ordering::Relaxed);
            });
            assert_eq!(done.load(Ordering::Relaxed), 8);
        }
    }

    #[test]
    fn a_panic_reaches_the_caller_and_the_pool_goes_on() {
        for _ in 0..50 / SHARE {
            let result = catch_unwind(|| run(64, &|task| assert!(task != 33, "task 33")));
            assert!(result.is_err());
            every_task_runs_exactly_once();
        }
    }

    #[test]
    fn nested_and_concurrent_regions_all_finish() {
        let total = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..200 / SHARE {
                        run(8, &|_| {
                            run(8, &|_| {
                                total.fetch_add(1, Ordering::Relaxed);
                            });
                        });
                    }
                });
            }
        });
        assert_eq!(total.load(Ordering::Relaxed), 4 * (200 / SHARE as u64) * 64);
    }
}
