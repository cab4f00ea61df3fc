//! The bytes of one small exposition in each format.

use lastmile::{
    Aggregator, Escaping, ExpositionFormat, Family, Format, Label, Limits, Otherwise, Schema,
    ScrapeOptions, Source,
};

use super::scraped;
use crate::oracle::start;

fn aggregator() -> Aggregator {
    let pum = r#"{"allowedMetrics": [
        {"name": "old", "help": "h", "type": "histogram", "labels": [], "buckets": [1, 1000000]}
    ]}"#;
    let schema = Schema::builder()
        .family(Family::counter("a_seconds_total").unit("seconds").help("x\n\"\\"))
        .family(Family::counter("b").label(Label::closed("l", ["v"]).otherwise(Otherwise::Refuse)))
        .family(
            Family::counter("c.d_total")
                .label(Label::closed("e.f", ["v"]).otherwise(Otherwise::Refuse)),
        )
        .family(Family::histogram("g h", [1.0]))
        .allowed_metrics("pum.json", pum)
        .build();
    let agg = Aggregator::new(schema.unwrap(), Limits::default(), start()).unwrap();
    let body = br#"{"lm":1,"m":{"a_seconds_total":2.5,"b;l=v":3,"c.d_total;e.f=v":4,"g h":[0.5]}}"#;
    let report = agg.push(Format::Lm1, body, &Source::default(), start()).unwrap();
    assert_eq!(report.accepted(), 4);
    agg
}

/// What the families of the test's own look like.
#[track_caller]
fn check(options: &ScrapeOptions, expected: &str) {
    let text = String::from_utf8(scraped(&aggregator(), options.clone(), start())).unwrap();
    let end = text.find("# TYPE lastmile_").unwrap();
    let own = &text[..text[..end].rfind("# HELP lastmile_").unwrap_or(end)];
    assert!(own == expected, "{options:?}\n{own}\n---\n{expected}");
}

#[test]
fn text() {
    let plain = "\
# HELP a_seconds_total x\\n\"\\\\
# TYPE a_seconds_total counter
a_seconds_total 2.5
# TYPE b counter
b{l=\"v\"} 3
";
    let old = "\
# HELP old h
# TYPE old histogram
old_bucket{le=\"1\"} 0
old_bucket{le=\"1000000\"} 0
old_bucket{le=\"+Inf\"} 0
old_sum 0
old_count 0
";
    let named = |counter: &str, label: &str, histogram: &str| {
        format!(
            "{plain}# TYPE {counter} counter\n{counter}{{{label}=\"v\"}} 4
# TYPE {histogram} histogram
{histogram}_bucket{{le=\"1.0\"}} 1
{histogram}_bucket{{le=\"+Inf\"}} 1
{histogram}_sum 0.5
{histogram}_count 1
{old}"
        )
    };
    let underscores = named("c_d_total", "e_f", "g_h");
    check(&ScrapeOptions::text(), &underscores);
    check(&ScrapeOptions::text().created(true), &underscores);
    let text = |escaping| ScrapeOptions::new(ExpositionFormat::Text1_0_0(escaping));
    check(&text(Escaping::Underscores), &underscores);
    check(&text(Escaping::Dots), &named("c_dot_d__total", "e_dot_f", "g__h"));
    check(&text(Escaping::Values), &named("U__c_2e_d__total", "U__e_2e_f", "U__g_20_h"));
    let quoted = format!(
        "{plain}# TYPE \"c.d_total\" counter\n{{\"c.d_total\",\"e.f\"=\"v\"}} 4
# TYPE \"g h\" histogram
{{\"g h_bucket\",le=\"1.0\"}} 1
{{\"g h_bucket\",le=\"+Inf\"}} 1
{{\"g h_sum\"}} 0.5
{{\"g h_count\"}} 1
{old}"
    );
    check(&text(Escaping::AllowUtf8), &quoted);
}

#[test]
fn open_metrics() {
    let open_metrics = |escaping| ScrapeOptions::new(ExpositionFormat::OpenMetrics1_0_0(escaping));
    let plain = |created: &str| {
        format!(
            "\
# TYPE a_seconds counter
# UNIT a_seconds seconds
# HELP a_seconds x\\n\\\"\\\\
a_seconds_total 2.5
{}# TYPE b unknown
b{{l=\"v\"}} 3
",
            created.replace("NAME", "a_seconds_created")
        )
    };
    let old = |created: &str| {
        format!(
            "\
# TYPE old histogram
# HELP old h
old_bucket{{le=\"1.0\"}} 0
old_bucket{{le=\"1e+06\"}} 0
old_bucket{{le=\"+Inf\"}} 0
old_sum 0
old_count 0
{}",
            created.replace("NAME", "old_created")
        )
    };
    for created in ["", "NAME 1767225600.000\n"] {
        let created_of = |name: &str| created.replace("NAME", name);
        let (plain, old) = (plain(created), old(created));
        let quoted = format!(
            "{plain}# TYPE \"c.d\" counter
{{\"c.d_total\",\"e.f\"=\"v\"}} 4
{}# TYPE \"g h\" histogram
{{\"g h_bucket\",le=\"1.0\"}} 1
{{\"g h_bucket\",le=\"+Inf\"}} 1
{{\"g h_sum\"}} 0.5
{{\"g h_count\"}} 1
{}{old}",
            created_of("{\"c.d_created\",\"e.f\"=\"v\"}"),
            created_of("{\"g h_created\"}"),
        );
        let created = !created.is_empty();
        check(&open_metrics(Escaping::AllowUtf8).created(created), &quoted);
        let dots = format!(
            "{plain}# TYPE c_dot_d_ counter
c_dot_d__total{{e_dot_f=\"v\"}} 4
{}# TYPE g__h histogram
g__h_bucket{{le=\"1.0\"}} 1
g__h_bucket{{le=\"+Inf\"}} 1
g__h_sum 0.5
g__h_count 1
{}{old}",
            created_of("c_dot_d__created{e_dot_f=\"v\"}"),
            created_of("g__h_created"),
        );
        check(&open_metrics(Escaping::Dots).created(created), &dots);
    }
}

#[test]
fn an_open_metrics_exposition_ends_once() {
    let options = ScrapeOptions::new(ExpositionFormat::OpenMetrics1_0_0(Escaping::Underscores));
    let text = String::from_utf8(scraped(&aggregator(), options, start())).unwrap();
    assert!(text.ends_with("\n# EOF\n"));
    assert_eq!(text.matches("# EOF").count(), 1);
}
