//! `lastmile.js`, the browser client of [lastmile], as text to serve.
//!
//! The client is written in TypeScript beside this crate and is the npm package `lastmile`; what is here is what its
//! build made of it, with hashes. `lastmile-http` serves all of it. A host that does not use that, or has a folder of
//! its own for scripts, can serve the same bytes:
//!
//! ```
//! let script = lastmile_web::LASTMILE;
//! let tag = format!(
//!     r#"<script defer src="{}" integrity="{}" crossorigin="anonymous"></script>"#,
//!     script.path(),
//!     script.integrity(),
//! );
//! assert!(tag.starts_with(r#"<script defer src="/lm-"#) && tag.contains("sha384-"), "{tag}");
//! ```
//!
//! A page that names an integrity must load the path that names the bytes: behind `/lm.js` the next release has others,
//! which a browser would then refuse.
//!
//! [lastmile]: https://docs.rs/lastmile

use std::fmt;

include!("../dist/hashes.rs");

/// Everything: web vitals, timings, errors, probes, and the page's own metrics.
pub const LASTMILE: Script = script(0, include_str!("../dist/lastmile.js"));

/// The page's own metrics and their delivery alone: no vitals, no probes. It also runs in a worker.
pub const CORE: Script = script(1, include_str!("../dist/lastmile-core.js"));

/// What pages that have `prometheus-user-metrics`' snippet load in place of its script.
pub const AGGREGATOR_CLIENT: Script = script(2, include_str!("../dist/aggregatorClient.js"));

/// Each script once.
pub const ALL: [Script; 3] = [LASTMILE, CORE, AGGREGATOR_CLIENT];

/// A build of the client: a classic script, which a page loads with one tag. Two are equal if their names are.
#[derive(Clone, Copy)]
pub struct Script {
    name: &'static str,
    text: &'static str,
    hash: &'static str,
    integrity: &'static str,
}

const fn script(at: usize, text: &'static str) -> Script {
    let (name, hash, integrity) = HASHES[at];
    Script { name, text, hash, integrity }
}

impl Script {
    /// Its file in the npm package's `dist`, such as `lastmile.js`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// What a browser gets, in UTF-8.
    #[must_use]
    pub const fn text(&self) -> &'static str {
        self.text
    }

    /// Names the text: the first 16 hexadecimal digits of its SHA-256.
    #[must_use]
    pub const fn hash(&self) -> &'static str {
        self.hash
    }

    /// What a tag's `integrity` says: `sha384-` and its SHA-384 in base64.
    /// Source: Subresource Integrity, §3.1, "Integrity metadata".
    #[must_use]
    pub const fn integrity(&self) -> &'static str {
        self.integrity
    }

    /// Where `lastmile-http` serves this text and never another: `/lm-<hash>.js`.
    #[must_use]
    pub fn path(&self) -> String {
        format!("/lm-{}.js", self.hash)
    }
}

impl PartialEq for Script {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Script {}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Script").field(&self.name).field(&self.hash).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::ALL;

    /// That the hashes are the texts' is for the build, which the stage `web` of `cargo xtask test` runs again, and for
    /// browsers, which load the scripts by their integrity in its tests.
    #[test]
    fn each_script_has_its_own_name_text_and_hashes() {
        let names = ["lastmile.js", "lastmile-core.js", "aggregatorClient.js"];
        for (at, (script, name)) in ALL.iter().zip(names).enumerate() {
            assert_eq!(script.name(), name);
            let is_hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
            assert!(script.hash().len() == 16 && script.hash().bytes().all(is_hex), "{script:?}");
            let base64 = script.integrity().strip_prefix("sha384-").expect("it names its hash");
            let is_base64 = |b: u8| b.is_ascii_alphanumeric() || b"+/".contains(&b);
            // 48 bytes fill 64 digits.
            assert!(base64.len() == 64 && base64.bytes().all(is_base64), "{script:?}");
            assert!(!script.text().contains("sourceMappingURL"), "maps are not served: {script:?}");
            for other in &ALL[..at] {
                assert_ne!(script, other);
                assert_ne!(script.text(), other.text());
                assert_ne!(script.hash(), other.hash());
                assert_ne!(script.integrity(), other.integrity());
            }
        }
    }
}
