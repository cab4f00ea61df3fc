use std::fmt::{self, Write as _};
use std::time::Duration;

use lastmile::{Family, Label, Native};
use prometheus_client::encoding::prometheus_text;

use super::*;

fn page() -> Label {
    Label::open("page", 1000).max_bytes(1000)
}

fn each_kind() -> Vec<Family> {
    vec![
        Family::counter("views_total").help("Views,\nby \"page\" \\.").label(page()),
        Family::counter("my.views_total").label(Label::open("page.name", 9)),
        Family::counter("bytes").label(Label::closed("way", ["in", "out"])),
        Family::counter("bare_seconds_total").unit("seconds"),
        Family::gauge("users").label(page()).label(Label::closed("app", ["x"])),
        Family::histogram("load_seconds", [0.05, 1.0, 2.5, 1e6]).unit("seconds").label(page()),
        Family::native_histogram("native_seconds", Native::new(3)).label(page()),
        Family::histogram("both_seconds", [1.0]).native(Native::new(0)).label(page()),
        #[cfg(feature = "summary")]
        Family::summary("wait_seconds").help("Waits.").unit("seconds").label(page()),
        #[cfg(feature = "summary")]
        Family::summary("bare_wait"),
    ]
}

const EACH_KIND: &[&str] = &[
    r#""views_total;page=P":3.5"#,
    r#""my.views_total;page.name=P":3"#,
    r#""bytes;way=in":7"#,
    r#""bare_seconds_total":0.25"#,
    r#""users;page=P;app=x":4.75"#,
    r#""load_seconds;page=P":[0.05,0.06,[3,5],1000]"#,
    r#""native_seconds;page=P":[0,0.001,[0.5,3],4,400]"#,
    r#""both_seconds;page=P":[0.5,3]"#,
    #[cfg(feature = "summary")]
    r#""wait_seconds;page=P":[0.1,0.2,3]"#,
    #[cfg(feature = "summary")]
    r#""bare_wait":[0.1,0.2,3]"#,
];

fn registry(agg: &Aggregator) -> Registry {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(agg.collector(start)));
    registry
}

#[test]
fn samples_are_those_of_our_own_exposition() {
    let agg = aggregator(each_kind());
    let registry = registry(&agg);
    for page in ["", "/", "é\u{1F600}", "%25a%3Bb%3Dc", "quote\\\"back\\\\slash\\nline"] {
        for sample in EACH_KIND {
            push(&agg, &sample.replace("=P", &format!("={page}")), start());
        }
        let format = ExpositionFormat::OpenMetrics1_0_0(Escaping::Underscores);
        let ours = read(&scraped(&agg, options(format)), Dialect::OpenMetrics);
        let theirs = read(encoded(&registry).as_bytes(), Dialect::OpenMetrics);
        assert_eq!(samples(&theirs), samples(&ours), "{page:?}");
        let mut text = String::new();
        prometheus_text::encode(&mut text, &registry).unwrap();
        assert_eq!(samples(&read(text.as_bytes(), Dialect::Text)), samples(&ours), "{page:?}");
        for family in &ours.families {
            let found = theirs.family(&family.name).unwrap_or_else(|| panic!("{}", family.name));
            let kind = if family.kind == "summary" { "gauge" } else { &family.kind };
            let help = family.help.clone().unwrap_or_default();
            assert_eq!((&*found.kind, found.help.clone()), (kind, Some(help)), "{}", family.name);
        }
    }
}

#[test]
fn lines_are_those_of_the_library() {
    let agg = aggregator(each_kind());
    for sample in EACH_KIND {
        push(&agg, &sample.replace("=P", "=/"), start());
    }
    let text = encoded(&registry(&agg));
    for lines in [
        "# HELP views Views,\\nby \\\"page\\\" \\\\.\n# TYPE views counter\nviews_total{page=\"/\"} 3.5\n",
        "# HELP bytes \n# TYPE bytes unknown\nbytes{way=\"in\"} 7\nbytes{way=\"out\"} 0\n",
        "# TYPE my_views counter\n",
        "\nmy_views_total{page_name=\"/\"} 3\n",
        "# TYPE bare_seconds counter\n# UNIT bare_seconds seconds\nbare_seconds_total 0.25\n",
        "\nusers{page=\"/\",app=\"x\"} 4.75\n",
        "\nload_seconds_bucket{le=\"0.05\",page=\"/\"} 1\n",
        "\nnative_seconds_count{page=\"/\"} 7\nnative_seconds_bucket{le=\"+Inf\",page=\"/\"} 7\n",
        "# TYPE lastmile_samples counter\n",
        #[cfg(feature = "summary")]
        "# HELP wait_seconds Waits.\n# TYPE wait_seconds gauge\n# UNIT wait_seconds seconds\nwait_seconds{page=\"/\",quantile=\"0.5\"} ",
        #[cfg(feature = "summary")]
        "# HELP wait_seconds_count Waits.\n# TYPE wait_seconds_count unknown\nwait_seconds_count{page=\"/\"} 3\n",
        #[cfg(feature = "summary")]
        "\nbare_wait_count 3\n",
    ] {
        assert!(text.contains(lines), "{lines}\n{text}");
    }
    for (line, _) in text.match_indices("# TYPE ") {
        let about = text[line..].lines().next().unwrap();
        assert_eq!(text.matches(about).count(), 1, "{about}");
    }
}

#[test]
fn whole_counters_keep_all_digits() {
    let agg = aggregator([Family::counter("n_total"), Family::counter("m")]);
    let handles = ["n_total", "m"].map(|name| agg.counter(name, &[]).unwrap());
    let registry = registry(&agg);
    let mut total = 0;
    for add in [(1 << 53) + 1, 2, u64::MAX - (1 << 53) - 3] {
        total += add;
        handles.iter().for_each(|handle| handle.inc_by(add));
        let text = encoded(&registry);
        assert!(text.contains(&format!("\nn_total {total}\n")), "{total}");
        assert!(text.contains(&format!("\nm {total}\n")), "{total}");
    }
    assert_eq!(total, u64::MAX);
    push(&agg, r#""n_total":1"#, start());
    let text = encoded(&registry);
    let past = text.lines().find_map(|line| line.strip_prefix("n_total ")).unwrap();
    assert_eq!(past.parse(), Ok(u64::MAX as f64), "{past}");
    // What got a fraction and lost it again.
    let agg = aggregator([Family::counter("n_total")]);
    let handle = agg.counter("n_total", &[]).unwrap();
    handle.inc_by((1 << 53) + 1);
    (0..2).for_each(|_| handle.add(0.5).unwrap());
    let mut text = String::new();
    encode(&mut text, &self::registry(&agg)).unwrap();
    assert!(text.contains("\nn_total 9007199254740994\n"), "{text}");
}

#[test]
fn prefixes_and_labels_of_the_registry_come_first() {
    let agg = aggregator([Family::counter("n_total").label(Label::closed("a", ["1"]))]);
    let labels = [("site".into(), "x".into())];
    let mut registry = Registry::with_prefix_and_labels("app", labels.into_iter());
    registry.register_collector(Box::new(agg.collector(start)));
    let text = encoded(&registry);
    assert!(text.contains("# TYPE app_n counter\napp_n_total{site=\"x\",a=\"1\"} 0\n"), "{text}");
    read(text.as_bytes(), Dialect::OpenMetrics);
}

#[test]
fn nothing_is_held_at_0_and_time_passes() {
    let family = Family::counter("n_total").label(page()).ttl(Duration::from_secs(10));
    let agg = aggregator([family]);
    let millis = std::sync::Arc::new(std::sync::atomic::AtomicU64::new(0));
    let clock = std::sync::Arc::clone(&millis);
    let now = move || {
        let millis = clock.load(std::sync::atomic::Ordering::Relaxed);
        start().after(Duration::from_millis(millis))
    };
    let mut registry = Registry::default();
    registry.register_collector(Box::new(agg.collector(now)));
    push(&agg, r#""n_total;page=/":3"#, start());
    let line = "\nn_total{page=\"/\"} 3\n";
    assert!(encoded(&registry).contains(line), "the first time that anyone sees it");
    millis.store(60_000, std::sync::atomic::Ordering::Relaxed);
    assert!(encoded(&registry).contains(line), "once more before it leaves");
    assert!(!encoded(&registry).contains(line), "it left");
}

/// Pushes whenever a registry writes into it: a lock that was held would stop it for ever.
struct Pushes<'a>(&'a Aggregator, usize);

impl fmt::Write for Pushes<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let page = self.1 % 500;
        push(self.0, &format!(r#""views_total;page={page}":1"#), start());
        self.1 += text.len().min(1);
        Ok(())
    }
}

#[test]
fn no_lock_is_held_while_a_registry_encodes() {
    let agg = aggregator(each_kind());
    for page in 0..500 {
        push(&agg, &format!(r#""views_total;page={page}":1"#), start());
    }
    let mut pushes = Pushes(&agg, 0);
    encode(&mut pushes, &registry(&agg)).unwrap();
    pushes.write_str("").unwrap();
    assert!(pushes.1 > 3, "{} writes", pushes.1);
}

#[test]
fn an_encoder_that_fails_ends_it() {
    struct Full(usize);
    impl fmt::Write for Full {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            self.0 = self.0.checked_sub(text.len()).ok_or(fmt::Error)?;
            Ok(())
        }
    }
    let agg = aggregator(each_kind());
    let registry = registry(&agg);
    let len = encoded(&registry).len();
    for room in (0..len).step_by(997) {
        assert!(encode(&mut Full(room), &registry).is_err(), "{room} of {len}");
    }
    assert!(encode(&mut Full(len + 100), &registry).is_ok());
}
