//! The rules, with nothing but `hyper`'s own connection in front of the service; and what measures a host's
//! own requests.

mod adapter;
mod measure;
mod rules;
