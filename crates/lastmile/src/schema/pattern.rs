//! What an open label's values must look like.

use std::error::Error;
use std::fmt;

use regex_automata::dfa::{Automaton, StartKind, dense};
use regex_automata::nfa::thompson;
use regex_automata::{Anchored, Input, MatchKind};

/// Most bytes of an automaton, and of what is needed to build it. `^/[A-Za-z0-9/_.:~-]{0,80}$` takes 12 kB.
const AUTOMATON_BYTES_MAX: usize = 1 << 20;

/// A compiled pattern, which a value must match from end to end.
///
/// It is run for values that no series has yet, which is what an attacker sends: so it is a table of
/// states, one step a byte, whatever the pattern and the value.
pub(crate) struct Pattern(dense::DFA<Vec<u32>>);

impl Pattern {
    /// Compiles a pattern in the syntax of the `regex` crate.
    ///
    /// # Errors
    /// What is wrong with it, for whoever wrote it.
    pub(crate) fn new(pattern: &str) -> Result<Self, String> {
        let config = dense::Config::new()
            .start_kind(StartKind::Anchored)
            // All matches, of which a search gives the longest: so `a|ab` takes `ab`.
            .match_kind(MatchKind::All)
            .dfa_size_limit(Some(AUTOMATON_BYTES_MAX))
            .determinize_size_limit(Some(AUTOMATON_BYTES_MAX));
        let mut builder = dense::Builder::new();
        builder.configure(config);
        builder.thompson(thompson::Config::new().nfa_size_limit(Some(AUTOMATON_BYTES_MAX)));
        builder.build(pattern).map(Self).map_err(|error| cause(&error))
    }

    pub(crate) fn matches(&self, value: &[u8]) -> bool {
        let longest = self.0.try_search_fwd(&Input::new(value).anchored(Anchored::Yes));
        matches!(longest, Ok(Some(found)) if found.offset() == value.len())
    }
}

/// What it comes down to, in one line: those before the last repeat the pattern and point into it.
fn cause(error: &dyn Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    let text = cause.to_string();
    text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned()
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pattern").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::Pattern;

    #[test]
    fn a_value_matches_from_end_to_end() {
        let check = |pattern: &str, value: &str, wanted: bool| {
            let matches = Pattern::new(pattern).unwrap().matches(value.as_bytes());
            assert_eq!(matches, wanted, "{value:?} against {pattern:?}");
        };
        check("^/[A-Za-z0-9/_.:~-]{0,80}$", "/home", true);
        check("^/[A-Za-z0-9/_.:~-]{0,80}$", "home", false);
        check("^/[A-Za-z0-9/_.:~-]{0,80}$", "/a b", false);
        check("^/[A-Za-z0-9/_.:~-]{0,80}$", &format!("/{}", "a".repeat(80)), true);
        check("^/[A-Za-z0-9/_.:~-]{0,80}$", &format!("/{}", "a".repeat(81)), false);
        check("a|b", "a", true);
        check("a|b", "ab", false);
        check("a|b", "xb", false);
        check("[a-z]+", "abc\n", false);
        check("a|ab", "ab", true);
        check("a*?", "aaa", true);
        check("(?x) a # and no more", "a", true);
        check("(?m)^a$", "a", true);
        check("(?m)^a$", "a\nb", false);
        check("", "", true);
        check("", "a", false);
        check(r"\p{Greek}+", "αβγ", true);
        check("(?i)straße", "STRASSE", false);
    }

    #[test]
    fn what_is_wrong_is_said() {
        assert_eq!(Pattern::new("(a").unwrap_err(), "unclosed group");
        assert_eq!(Pattern::new("a)|(b").unwrap_err(), "unopened group");
        for large in [r"\w{1000}", "((a{900}){900}){900}"] {
            let why = Pattern::new(large).unwrap_err();
            assert!(why.contains("limit"), "{why}");
        }
    }
}
