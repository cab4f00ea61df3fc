//! Who may push and read: settings as they were written, and the options of the two sides out of them.

use lastmile_http::{Error, PrivateOptions, PublicOptions, Rate};
use lastmile_hyper::ServeLimits;

use crate::config::{count, flag, size};
use crate::fault::{Faults, Given};

/// What one source of settings says.
#[derive(Debug, Default)]
pub(crate) struct Access {
    pub(crate) origins: Vec<Given>,
    /// Each `NAME=KEY`.
    pub(crate) keys: Vec<Given>,
    pub(crate) rate: Option<Given>,
    pub(crate) trusted_proxies: Vec<Given>,
    pub(crate) routes: Vec<Given>,
    pub(crate) bytes_in_flight: Option<Given>,
    pub(crate) connections: Option<Given>,
    pub(crate) connections_per_client: Option<Given>,
    pub(crate) sockets: Option<Given>,
    pub(crate) sockets_per_client: Option<Given>,
    pub(crate) private_connections: Option<Given>,
    pub(crate) private_hosts: Vec<Given>,
    pub(crate) private_token: Option<Given>,
    pub(crate) private_basic: Option<Given>,
    pub(crate) debug_samples: Option<Given>,
}

impl Access {
    /// What this says, and where it says nothing what `other` does.
    pub(crate) fn or(self, other: Self) -> Self {
        let list = |a: Vec<Given>, b| if a.is_empty() { b } else { a };
        Self {
            origins: list(self.origins, other.origins),
            keys: list(self.keys, other.keys),
            rate: self.rate.or(other.rate),
            trusted_proxies: list(self.trusted_proxies, other.trusted_proxies),
            routes: list(self.routes, other.routes),
            bytes_in_flight: self.bytes_in_flight.or(other.bytes_in_flight),
            connections: self.connections.or(other.connections),
            connections_per_client: self.connections_per_client.or(other.connections_per_client),
            sockets: self.sockets.or(other.sockets),
            sockets_per_client: self.sockets_per_client.or(other.sockets_per_client),
            private_connections: self.private_connections.or(other.private_connections),
            private_hosts: list(self.private_hosts, other.private_hosts),
            private_token: self.private_token.or(other.private_token),
            private_basic: self.private_basic.or(other.private_basic),
            debug_samples: self.debug_samples.or(other.debug_samples),
        }
    }

    /// Finds all that is wrong with it, whether another source wins over it or not.
    pub(crate) fn check(&self, faults: &mut Faults) {
        self.public(faults);
        self.private(faults);
        self.limits(faults);
        flag(self.debug_samples.clone(), faults);
    }

    /// Finds what is wrong with the settings of all sources together, each of which is right.
    pub(crate) fn check_together(&self, options: &PublicOptions, faults: &mut Faults) {
        if let (Some(given), Err(error)) = (&self.rate, options.check()) {
            told(given, &error, faults);
        }
        // What is no number was told before.
        let told = &mut Faults::default();
        if let (Some(given), Some(connections)) = (&self.sockets, self.connections(told))
            && at_least_one(given, told).is_some_and(|sockets| sockets > connections)
        {
            let why = format_args!(
                "there are {connections} connections, and each WebSocket is one; choose fewer, or more connections"
            );
            faults.push(&given.place, why);
        }
    }

    /// Who may push.
    pub(crate) fn public(&self, faults: &mut Faults) -> PublicOptions {
        let mut options = PublicOptions::new();
        let of = |f: fn(PublicOptions, &str) -> PublicOptions| {
            move |value: &str| f(PublicOptions::new(), value).check()
        };
        if !self.origins.is_empty() {
            let is = of(|options, origin| options.origins([origin]));
            options = options.origins(checked(&self.origins, is, faults));
        }
        for given in &self.keys {
            let Some((name, key)) = given.value.split_once('=') else {
                faults.push(&given.place, "must be NAME=KEY, such as web=8f1c0a");
                continue;
            };
            let one = PublicOptions::new().key(name, key).check();
            // Two of one name are each right, and wrong together.
            let more = options.clone().key(name, key);
            match one.and_then(|()| more.check()) {
                Ok(()) => options = more,
                Err(error) => told(given, &error, faults),
            }
        }
        if let Some(given) = &self.rate {
            match given.value.parse::<Rate>() {
                Ok(rate) => options = options.rate(rate),
                Err(why) => faults.push(&given.place, why),
            }
        }
        let is = of(|options, net| options.trusted_proxies([net]));
        options = options.trusted_proxies(checked(&self.trusted_proxies, is, faults));
        if !self.routes.is_empty() {
            let is = of(|options, path| options.routes([path]));
            options = options.routes(checked(&self.routes, is, faults));
        }
        if let Some(given) = &self.bytes_in_flight
            && let Some(bytes) = size(given, faults)
        {
            let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
            let more = options.clone().bytes_in_flight(bytes);
            match more.check() {
                Ok(()) => options = more,
                Err(error) => told(given, &error, faults),
            }
        }
        let mut number = |given: &Option<Given>| at_least_one(given.as_ref()?, faults);
        let (all, of_client) = (number(&self.sockets), number(&self.sockets_per_client));
        // What is wrong with the connections is told with the limits.
        if let Some(connections) = self.connections(&mut Faults::default()) {
            // The other half is for requests, whoever opens WebSockets.
            let all = all.unwrap_or(connections.div_ceil(2));
            options = options.sockets(all, of_client.unwrap_or(all.div_ceil(4)));
        }
        options
    }

    /// Who may read.
    pub(crate) fn private(&self, faults: &mut Faults) -> PrivateOptions {
        let is = |host: &str| PrivateOptions::new().hosts([host]).check();
        let mut options = PrivateOptions::new().hosts(checked(&self.private_hosts, is, faults));
        let token = self.private_token.as_ref().map(|given| {
            let with: fn(PrivateOptions, &str) -> _ = |options, token| options.bearer(token);
            (given, with)
        });
        let basic = self.private_basic.as_ref().filter(|given| {
            let is_pair = given.value.contains(':');
            if !is_pair {
                faults.push(&given.place, "must be USER:PASSWORD, such as prometheus:p4ss");
            }
            is_pair
        });
        let basic = basic.map(|given| {
            let with: fn(PrivateOptions, &str) -> _ = |options, given| {
                let (user, password) = given.split_once(':').unwrap_or((given, ""));
                options.basic(user, password)
            };
            (given, with)
        });
        for (given, with) in token.into_iter().chain(basic) {
            let more = with(options.clone(), &given.value);
            match more.check() {
                Ok(()) => options = more,
                Err(error) => told(given, &error, faults),
            }
        }
        options
    }
}

impl Access {
    /// What a connection of the public side may do, and of the private one.
    pub(crate) fn limits(&self, faults: &mut Faults) -> (ServeLimits, ServeLimits) {
        let (mut public, mut private) = (ServeLimits::public(), ServeLimits::private());
        if let Some(most) = self.connections(faults) {
            public = public.connections(most).connections_per_prefix(most.div_ceil(4));
        }
        let mut number = |given: &Option<Given>| at_least_one(given.as_ref()?, faults);
        if let Some(most) = number(&self.connections_per_client) {
            public = public.connections_per_prefix(most);
        }
        if let Some(most) = number(&self.private_connections) {
            private = private.connections(most).connections_per_prefix(most.div_ceil(2));
        }
        (public, private)
    }

    /// Connections of the public side, WebSockets among them; `None` with a fault.
    fn connections(&self, faults: &mut Faults) -> Option<usize> {
        self.connections.as_ref().map_or(Some(CONNECTIONS), |given| at_least_one(given, faults))
    }
}

/// Connections of the public side unless there is a setting: as many as the library's own default.
const CONNECTIONS: usize = 4_096;

/// A number of connections.
fn at_least_one(given: &Given, faults: &mut Faults) -> Option<usize> {
    let number = count(given, faults)?;
    if number == 0 {
        faults.push(&given.place, "must be at least 1");
    }
    Some(number as usize)
}

/// Those that are right, and a fault for each other.
fn checked(
    values: &[Given],
    check: impl Fn(&str) -> Result<(), Error>,
    faults: &mut Faults,
) -> Vec<String> {
    let right = values.iter().filter(|given| match check(&given.value) {
        Ok(()) => true,
        Err(error) => {
            told(given, &error, faults);
            false
        }
    });
    right.map(|given| given.value.clone()).collect()
}

/// What the library says of one value; it names its option, and we the place.
fn told(given: &Given, error: &Error, faults: &mut Faults) {
    for fault in error.faults() {
        let why = fault.split_once(": ").map_or(fault, |(_, why)| why);
        faults.push(&given.place, why);
    }
}

#[cfg(test)]
mod tests {
    use super::{Access, Faults, ServeLimits};

    #[test]
    fn without_settings_limits_are_the_librarys() {
        let limits = Access::default().limits(&mut Faults::default());
        assert_eq!(limits, (ServeLimits::public(), ServeLimits::private()));
    }
}
