//! Bodies that came compressed, inflated under a cap.

use std::io::{ErrorKind, Read};

use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use http::HeaderMap;
use http::header::CONTENT_ENCODING;
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

/// Bytes that a body may always inflate to, however small it is.
const FREE_BYTES: usize = 64 << 10;

/// How often its own size a body may inflate to beyond those. Text of metrics compresses 5 to 20 times.
const RATIO_MAX: usize = 100;

/// Largest window of zstd. Source: RFC 9659, §3: "8 MB (i.e., 8,388,608 bytes)".
const ZSTD_WINDOW_BYTES_MAX: u64 = 8 << 20;

/// Most frames of a zstd body, skippable ones too: each costs some microseconds, however small it is.
const ZSTD_FRAMES_MAX: usize = 64;

/// Bytes that are inflated at a time.
const STEP_BYTES: usize = 16 << 10;

/// How a body is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Coding {
    Identity,
    Gzip,
    /// With a zlib header, as RFC 9110 has it, or without, as some clients have it.
    Deflate,
    Zstd,
}

/// What `Accept-Encoding` says of them.
pub(crate) const CODINGS: &str = "gzip, deflate, zstd";

/// Why a body was not inflated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Uninflated {
    /// It is longer than the cap, or than 100 times itself.
    TooLarge,
    /// It is not what it says.
    Corrupt,
}

impl Coding {
    /// The one coding of a request's body; `None` if there are several, or another.
    pub(crate) fn of(headers: &HeaderMap) -> Option<Self> {
        let mut coding = Self::Identity;
        let values = headers.get_all(CONTENT_ENCODING).iter();
        for name in values.flat_map(|value| value.as_bytes().split(|byte| *byte == b',')) {
            let name = name.trim_ascii();
            let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
            let next = if name.is_empty() || is("identity") {
                continue;
            } else if is("gzip") || is("x-gzip") {
                Self::Gzip
            } else if is("deflate") {
                Self::Deflate
            } else if is("zstd") {
                Self::Zstd
            } else {
                return None;
            };
            if coding != Self::Identity {
                return None;
            }
            coding = next;
        }
        Some(coding)
    }

    /// Most bytes that a body of `n_bytes` may inflate to, under the cap.
    pub(crate) fn bytes_max(n_bytes: usize, cap: usize) -> usize {
        n_bytes.saturating_mul(RATIO_MAX).max(FREE_BYTES).min(cap)
    }

    /// Inflates a body to at most `bytes_max` bytes. Memory: that, a step, and the coding's window, which is
    /// no larger.
    pub(crate) fn inflate(self, body: &[u8], bytes_max: usize) -> Result<Vec<u8>, Uninflated> {
        match self {
            Self::Identity if body.len() > bytes_max => Err(Uninflated::TooLarge),
            Self::Identity => Ok(body.to_vec()),
            Self::Gzip => drain(MultiGzDecoder::new(body), bytes_max),
            Self::Deflate if has_zlib_header(body) => drain(ZlibDecoder::new(body), bytes_max),
            Self::Deflate => drain(DeflateDecoder::new(body), bytes_max),
            Self::Zstd => zstd(body, bytes_max),
        }
    }
}

/// Whether the first two bytes are those of a zlib stream. Source: RFC 1950, §2.2: method 8, and a multiple
/// of 31.
fn has_zlib_header(body: &[u8]) -> bool {
    let [method, flags, ..] = *body else { return false };
    method & 0x0f == 8 && u16::from_be_bytes([method, flags]) % 31 == 0
}

fn drain(mut inflated: impl Read, bytes_max: usize) -> Result<Vec<u8>, Uninflated> {
    let mut out = Vec::new();
    loop {
        let filled = out.len();
        // One byte more than allowed shows that there is more.
        let step = STEP_BYTES.min(bytes_max + 1 - filled);
        out.resize(filled + step, 0);
        match inflated.read(&mut out[filled..]) {
            Ok(n) => out.truncate(filled + n),
            Err(error) if error.kind() == ErrorKind::Interrupted => out.truncate(filled),
            Err(_) => return Err(Uninflated::Corrupt),
        }
        match out.len() - filled {
            0 => return Ok(out),
            _ if out.len() > bytes_max => return Err(Uninflated::TooLarge),
            _ => {}
        }
    }
}

/// Frames one after the other, as the format allows. A frame is decoded block by block until it has more
/// bytes than are left: at most one block, 128 KiB, too many.
fn zstd(mut body: &[u8], bytes_max: usize) -> Result<Vec<u8>, Uninflated> {
    let mut out = Vec::new();
    // An empty body is no frame.
    for _ in 0..ZSTD_FRAMES_MAX {
        if let Some(rest) = after_skippable(body) {
            body = rest;
        } else {
            // A new one for each frame: one that is used again takes the whole window at once.
            let mut decoder = FrameDecoder::new();
            decoder.set_max_window_size(ZSTD_WINDOW_BYTES_MAX);
            decoder.init(&mut body).map_err(|_| Uninflated::Corrupt)?;
            let left = bytes_max - out.len();
            let strategy = BlockDecodingStrategy::UptoBytes(left + 1);
            let finished = decoder.decode_blocks(&mut body, strategy);
            if !finished.map_err(|_| Uninflated::Corrupt)? {
                return Err(Uninflated::TooLarge);
            }
            out.extend(decoder.collect().unwrap_or_default());
            if out.len() > bytes_max {
                return Err(Uninflated::TooLarge);
            }
        }
        if body.is_empty() {
            return Ok(out);
        }
    }
    Err(Uninflated::Corrupt)
}

/// What follows a skippable frame. Source: RFC 8878, §3.1.2: magic numbers 0x184D2A50 to 0x184D2A5F, and a
/// length of four bytes.
fn after_skippable(body: &[u8]) -> Option<&[u8]> {
    let (magic, rest) = body.split_first_chunk::<4>()?;
    let (size, rest) = rest.split_first_chunk::<4>()?;
    let is_skippable = u32::from_le_bytes(*magic) & 0xffff_fff0 == 0x184d_2a50;
    is_skippable.then(|| rest.get(u32::from_le_bytes(*size) as usize..)).flatten()
}

#[cfg(test)]
mod tests;
