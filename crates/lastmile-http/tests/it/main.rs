//! The rules, with nothing but `hyper`'s own connection in front of the service.

mod adapter;
mod rules;
