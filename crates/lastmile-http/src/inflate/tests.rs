use std::io::Write;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use http::HeaderValue;
use ruzstd::encoding::{CompressionLevel, compress_to_vec};

use super::*;

/// Compresses in each way that is taken.
fn compressed(text: &[u8]) -> [(&'static str, Coding, Vec<u8>); 4] {
    macro_rules! with {
        ($encoder:ident) => {{
            let mut encoder = $encoder::new(Vec::new(), Compression::best());
            encoder.write_all(text).and_then(|()| encoder.finish()).expect("memory takes it")
        }};
    }
    [
        ("gzip", Coding::Gzip, with!(GzEncoder)),
        ("zlib", Coding::Deflate, with!(ZlibEncoder)),
        ("deflate", Coding::Deflate, with!(DeflateEncoder)),
        ("zstd", Coding::Zstd, compress_to_vec(text, CompressionLevel::Fastest)),
    ]
}

#[test]
fn what_was_compressed_is_inflated() {
    let noise: Vec<u8> =
        (0..100_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    for text in [&b""[..], b"x", b"[]", &noise[..20_000], &noise, &[b' '; 300_000]] {
        for (name, coding, body) in compressed(text) {
            assert_eq!(coding.inflate(&body, text.len()).as_deref(), Ok(text), "{name}");
            assert_eq!(coding.inflate(&body, 1 << 20).as_deref(), Ok(text), "{name}");
            if !text.is_empty() {
                let less = coding.inflate(&body, text.len() - 1);
                assert_eq!(less, Err(Uninflated::TooLarge), "{name} of {}", text.len());
            }
        }
    }
}

#[test]
fn streams_follow_one_another() {
    for (name, coding, body) in compressed(b"ab") {
        let twice = [&body[..], &body].concat();
        let wanted = match name {
            "gzip" | "zstd" => Ok(b"abab".to_vec()),
            // Nothing says that another follows, and what follows is passed over as others do.
            _ => Ok(b"ab".to_vec()),
        };
        assert_eq!(coding.inflate(&twice, 100), wanted, "{name}");
    }
    let (_, coding, body) = compressed(b"ab").into_iter().next_back().expect("zstd");
    assert_eq!(coding.inflate(&body.repeat(64), 200), Ok(b"ab".repeat(64)));
    assert_eq!(coding.inflate(&body.repeat(65), 200), Err(Uninflated::Corrupt), "frames are few");
    let skippable = [&[0x5a, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 7, 7][..], &body].concat();
    assert_eq!(coding.inflate(&skippable, 100), Ok(b"ab".to_vec()));
}

#[test]
fn what_is_cut_or_changed_is_no_panic() {
    let text: Vec<u8> = (0..2_000).map(|i| b"lastmile "[i % 9] ^ (i / 500) as u8).collect();
    for (name, coding, body) in compressed(&text) {
        for end in 0..body.len() {
            let cut = coding.inflate(&body[..end], 1 << 20);
            assert_eq!(cut, Err(Uninflated::Corrupt), "{name} cut at {end}");
        }
        for at in 0..body.len() {
            for bit in [1, 0x80] {
                let mut changed = body.clone();
                changed[at] ^= bit;
                let inflated = coding.inflate(&changed, 10_000);
                assert!(
                    inflated.is_err() || inflated.is_ok_and(|out| out.len() <= 10_000),
                    "{name}"
                );
            }
        }
        assert_eq!(coding.inflate(b"", 100), Err(Uninflated::Corrupt), "{name}");
        assert_eq!(coding.inflate(b"lastmile", 100), Err(Uninflated::Corrupt), "{name}");
    }
}

#[test]
fn a_bomb_stops_at_its_cap() {
    // 512 MiB of blanks; the second and third are bombs of many members or frames.
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    let blanks = vec![b' '; 1 << 20];
    (0..512).for_each(|_| gzip.write_all(&blanks).expect("memory takes it"));
    let gzip = gzip.finish().expect("memory takes it");
    let [member, .., frame] = compressed(&blanks);
    for (name, coding, body) in [
        ("gzip", Coding::Gzip, gzip),
        ("members", Coding::Gzip, member.2.repeat(512)),
        ("frames", Coding::Zstd, frame.2.repeat(60)),
    ] {
        for cap in [1, 256 << 10, 1 << 20, 16 << 20] {
            assert_eq!(coding.inflate(&body, cap), Err(Uninflated::TooLarge), "{name} {cap}");
        }
    }
    // A frame that wants a window of 2 GiB: magic number, no content size, window descriptor.
    let wide = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xa8, 0x01, 0x00, 0x00];
    assert_eq!(Coding::Zstd.inflate(&wide, 100), Err(Uninflated::Corrupt));
}

#[test]
fn small_bodies_inflate_no_further_than_a_hundred_times() {
    for (n_bytes, cap, wanted) in [
        (0, 256 << 10, 64 << 10),
        (655, 256 << 10, 64 << 10),
        (656, 256 << 10, 65_600),
        (2_000, 256 << 10, 200_000),
        (64 << 10, 256 << 10, 256 << 10),
        (64 << 10, 1_000, 1_000),
        (usize::MAX, 16 << 20, 16 << 20),
    ] {
        assert_eq!(Coding::bytes_max(n_bytes, cap), wanted, "{n_bytes} {cap}");
    }
}

#[test]
fn codings_are_read() {
    for (values, wanted) in [
        (&[][..], Some(Coding::Identity)),
        (&["identity"], Some(Coding::Identity)),
        (&["", "identity, IDENTITY,"], Some(Coding::Identity)),
        (&["gzip"], Some(Coding::Gzip)),
        (&["X-GZip"], Some(Coding::Gzip)),
        (&["identity", " gzip "], Some(Coding::Gzip)),
        (&["deflate"], Some(Coding::Deflate)),
        (&["zstd"], Some(Coding::Zstd)),
        (&["gzip, gzip"], None),
        (&["gzip", "identity", "deflate"], None),
        (&["br"], None),
        (&["gzip;q=1"], None),
        (&["\u{e9}"], None),
    ] {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(CONTENT_ENCODING, HeaderValue::from_str(value).expect("a value"));
        }
        assert_eq!(Coding::of(&headers), wanted, "{values:?}");
    }
}
