//! The script for pages that were written for `prometheus-user-metrics`.

use lastmile_http::{PublicOptions, Service};

use super::server::{Server, aggregator};

const PATH: &str = "/static/aggregatorClient.js";

#[test]
fn it_is_there_for_every_page() {
    let options =
        PublicOptions::new().origins(["https://app.example"]).key("web", "0123456789abcdef");
    let listed = Service::public_with(aggregator(), &options).expect("the options are right");
    for service in [Service::public(aggregator()), listed] {
        let server = Server::start(service);
        let answer = server.send(&format!("GET {PATH}\norigin: https://other.example"));
        let text = answer.body.clone();
        assert!(text.contains("\"use strict\"") && text.contains("/lm"), "{answer}");
        let wanted = "200\ncontent-type: text/javascript; charset=utf-8\nx-content-type-options: nosniff\n\
            cross-origin-resource-policy: cross-origin\naccess-control-allow-origin: *\n!vary\n\
            cache-control: public, max-age=300, stale-while-revalidate=86400";
        answer.check(PATH, &format!("{wanted}\n\n{text}"));
        let length = text.len();
        server.check(&format!("HEAD {PATH}"), &format!("{wanted}\ncontent-length: {length}"));
    }
}

#[test]
fn who_has_it_is_told_so() {
    let server = Server::start(Service::public(aggregator()));
    let tag = server.send(&format!("GET {PATH}")).header("etag").expect("it has one").to_owned();
    assert!(tag.len() == 18 && tag.starts_with('"') && tag.ends_with('"'), "{tag}");
    for (tags, status) in [
        (tag.clone(), 304),
        (format!("W/{tag}"), 304),
        (format!("\"x\", {tag}"), 304),
        ("*".to_owned(), 304),
        ("\"x\"".to_owned(), 200),
        (tag.trim_matches('"').to_owned(), 200),
    ] {
        let answer = server.send(&format!("GET {PATH}\nif-none-match: {tags}"));
        assert_eq!(answer.status, status, "{tags}");
        assert_eq!(answer.header("etag"), Some(tag.as_str()), "{tags}");
        assert_eq!(answer.body.is_empty(), status == 304, "{tags}");
    }
}
