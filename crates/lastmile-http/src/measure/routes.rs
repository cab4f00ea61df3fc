//! The series of every method and route, bound once and found again without a lock.
//!
//! Slots in memory taken at once, which fill and never empty: a route is looked for from the slot that its
//! hash names to the first empty one. Half of the slots stay empty, so that is one or two steps, and at most
//! as many as there are routes even if all of them collide. A route that finds no room is `other`. Templates
//! are the program's own, so the hash needs no key.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use http::Method;
use lastmile::{Aggregator, Counter, Error, Gauge, Histogram};

use super::{
    ACTIVE, METHODS, OTHER, REQUESTS, ROUTE_BYTES_MAX, ROUTES_MAX, SECONDS, STATUSES, UNMATCHED,
    status_idx, value_of,
};

/// A power of two, and twice as many as there are routes.
const N_SLOTS: usize = (2 * ROUTES_MAX).next_power_of_two();

pub(super) struct Routes {
    aggregator: Aggregator,
    slots: Box<[OnceLock<Box<Route>>]>,
    /// How many slots are taken, at most half of them. It grows after its slot was filled and releases that, so
    /// that whoever sees the table full finds all that is in it.
    n_routes: AtomicUsize,
    /// Held while a route gets its slot.
    adding: Mutex<()>,
    unmatched: Route,
    other: Route,
}

/// The series of one route by method, those of [`OTHER`] behind them.
struct Route {
    template: Box<str>,
    methods: [OnceLock<Arc<Series>>; METHODS.len() + 1],
}

/// The series of one method and route. What the aggregator does not have, after a reload without our families,
/// is not there.
pub(super) struct Series {
    active: Option<Gauge>,
    seconds: Option<Histogram>,
    by_status: [OnceLock<Option<Counter>>; STATUSES.len() + 1],
    binder: Binder,
}

/// Binds series of one method and route.
struct Binder {
    aggregator: Aggregator,
    method: &'static str,
    route: Box<str>,
}

impl Routes {
    /// # Errors
    /// When a family is missing or is another.
    pub(super) fn new(aggregator: Aggregator) -> Result<Self, Error> {
        let unmatched = Route::new(UNMATCHED);
        // What any server is asked for, bound at once: its series begin at 0, and it shows what is missing.
        let method = method_idx(&Method::GET);
        let series = Series::checked(Binder::new(&aggregator, method, UNMATCHED))?;
        let series = Arc::new(series);
        unmatched.methods[method].get_or_init(|| series);
        Ok(Self {
            aggregator,
            slots: (0..N_SLOTS).map(|_| OnceLock::new()).collect(),
            n_routes: AtomicUsize::new(0),
            adding: Mutex::new(()),
            unmatched,
            other: Route::new(OTHER),
        })
    }

    pub(super) fn series(&self, method: &Method, route: Option<&str>) -> &Arc<Series> {
        // An empty label is none at all to Prometheus.
        let route = route.filter(|template| !template.is_empty());
        let route = route.map_or(&self.unmatched, |template| self.route(template));
        let method = method_idx(method);
        route.methods[method].get_or_init(|| {
            Arc::new(Series::new(Binder::new(&self.aggregator, method, &route.template)))
        })
    }

    fn route(&self, template: &str) -> &Route {
        self.find(template).unwrap_or_else(|| self.add(template))
    }

    fn find(&self, template: &str) -> Option<&Route> {
        let taken = self.slots_for(template).map_while(OnceLock::get);
        taken.map(|route| &**route).find(|route| *route.template == *template)
    }

    /// All slots in the order in which this route is looked for.
    fn slots_for(&self, template: &str) -> impl Iterator<Item = &OnceLock<Box<Route>>> {
        let (before, from) = self.slots.split_at(first_slot(template));
        from.iter().chain(before)
    }

    /// The route, for which there was no slot when it was looked for.
    #[cold]
    fn add(&self, template: &str) -> &Route {
        if template.len() > ROUTE_BYTES_MAX {
            return &self.other;
        }
        if self.is_full() {
            // No lock, as there may be many of these; another thread may have added it as the last one.
            return self.find(template).unwrap_or(&self.other);
        }
        // One at a time, so that no route finds the table full on account of another that was there already.
        // A panic while it is held leaves nothing half done.
        let _adding = self.adding.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(route) = self.find(template) {
            return route;
        }
        let mut slots = self.slots_for(template);
        match slots.find(|slot| slot.get().is_none()) {
            Some(empty) if !self.is_full() => {
                let route = empty.get_or_init(|| Box::new(Route::new(template)));
                self.n_routes.fetch_add(1, Ordering::Release);
                route
            }
            _ => &self.other,
        }
    }

    fn is_full(&self) -> bool {
        self.n_routes.load(Ordering::Acquire) >= ROUTES_MAX
    }
}

impl Route {
    fn new(template: &str) -> Self {
        Self { template: template.into(), methods: Default::default() }
    }
}

impl Series {
    /// The series, or those of the route [`OTHER`] where a limit leaves no place.
    fn new(binder: Binder) -> Self {
        let active = binder.bind(|agg, labels| agg.gauge(ACTIVE, labels));
        let seconds = binder.bind(|agg, labels| agg.histogram(SECONDS, labels));
        Self { active, seconds, by_status: Default::default(), binder }
    }

    /// # Errors
    /// When it cannot be bound.
    fn checked(binder: Binder) -> Result<Self, Error> {
        let labels = [("method", binder.method), ("route", &*binder.route)];
        let active = binder.aggregator.gauge(ACTIVE, &labels)?;
        let seconds = binder.aggregator.histogram(SECONDS, &labels)?;
        let status = status_idx(404);
        let counter = binder.counter(status, &binder.route)?;
        let by_status: [OnceLock<_>; STATUSES.len() + 1] = Default::default();
        by_status[status].get_or_init(|| Some(counter));
        Ok(Self { active: Some(active), seconds: Some(seconds), by_status, binder })
    }

    pub(super) fn begin(&self) {
        if let Some(active) = &self.active {
            active.add(1.0);
        }
    }

    /// Ends what [`begin`](Self::begin) began. The gauge comes last, so that whoever sees it fall finds the
    /// request counted.
    pub(super) fn end(&self, status: usize, seconds: f64) {
        let counter = self.by_status[status]
            .get_or_init(|| self.binder.bind(|_, labels| self.binder.counter(status, labels[1].1)));
        if let Some(counter) = counter {
            counter.inc();
        }
        if let Some(histogram) = &self.seconds {
            // No time since a process began is refused: it is finite, not negative and below 2^53 seconds.
            let _ = histogram.observe(seconds);
        }
        if let Some(active) = &self.active {
            active.add(-1.0);
        }
    }
}

impl Binder {
    fn new(aggregator: &Aggregator, method: usize, route: &str) -> Self {
        let method = value_of(&METHODS, method);
        Self { aggregator: aggregator.clone(), method, route: route.into() }
    }

    /// Tries the route itself, then [`OTHER`], for which room is reserved.
    fn bind<T>(
        &self,
        bind: impl Fn(&Aggregator, &[(&str, &str)]) -> Result<T, Error>,
    ) -> Option<T> {
        [&*self.route, OTHER].into_iter().find_map(|route| {
            bind(&self.aggregator, &[("method", self.method), ("route", route)]).ok()
        })
    }

    fn counter(&self, status: usize, route: &str) -> Result<Counter, Error> {
        let status = value_of(&STATUSES, status);
        let labels = [("method", self.method), ("route", route), ("status", status)];
        self.aggregator.counter(REQUESTS, &labels)
    }
}

/// The place of a method in [`METHODS`], or the one behind them.
fn method_idx(method: &Method) -> usize {
    let name = method.as_str();
    METHODS.iter().position(|known| *known == name).unwrap_or(METHODS.len())
}

/// Where a route is looked for first: eight bytes at a time, multiplied and turned: as rustc's FxHash does, which is made for short names.
fn first_slot(template: &str) -> usize {
    /// Odd, and with bits as if by chance: 2^64 by the golden ratio. Source: Knuth, vol. 3, §6.4.
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let (words, rest) = template.as_bytes().as_chunks();
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    let hash = words.iter().chain([&last]).fold(template.len() as u64, |hash, word| {
        (hash.rotate_left(5) ^ u64::from_le_bytes(*word)).wrapping_mul(FACTOR)
    });
    // The low bits of a product know only low bits.
    (hash >> 32) as usize % N_SLOTS
}

#[cfg(test)]
mod tests {
    use lastmile::{Limits, Schema};

    use super::*;
    use crate::{Clock, RequestMeter};

    #[test]
    fn a_route_that_another_thread_just_added_takes_no_second_slot() {
        let schema = Schema::builder().families(RequestMeter::families()).build();
        let agg = Aggregator::new(schema.unwrap(), Limits::default(), Clock::new().now());
        let routes = Routes::new(agg.unwrap()).unwrap();
        for n in 1..=ROUTES_MAX {
            let template = format!("/{n}");
            assert!(routes.find(&template).is_none());
            let first = routes.add(&template);
            // As if this thread had not found it, and only now came to add it.
            assert!(std::ptr::eq(routes.add(&template), first));
            assert_eq!(routes.n_routes.load(Ordering::Relaxed), n);
        }
        assert!(std::ptr::eq(routes.add("/more"), &routes.other));
        assert_eq!(&*routes.find("/1").unwrap().template, "/1");
        let n_taken = routes.slots.iter().filter(|slot| slot.get().is_some()).count();
        assert_eq!(n_taken, ROUTES_MAX);
    }
}
