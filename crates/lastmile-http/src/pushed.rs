use http::{HeaderMap, Response, StatusCode};
use lastmile::{Format, PushReport};

use crate::body::ResponseBody;
use crate::report;

/// A push that decoded and was counted, from [`Service::take`](crate::Service::take): its report, and the answer
/// that the service's own routes give.
#[derive(Debug)]
pub struct Pushed {
    report: PushReport,
    answer: Response<ResponseBody>,
}

impl Pushed {
    /// `headers` are those that every public answer has.
    pub(crate) fn new(
        report: PushReport,
        format: Format,
        request: &HeaderMap,
        headers: HeaderMap,
    ) -> Self {
        let answer = report::answer(&report, format, request, headers);
        Self { report, answer }
    }

    /// Answers as a Pushgateway does, whose clients take no other status than 200 and 202.
    /// Source: prometheus/client_golang prometheus/push/push.go, `push`.
    pub(crate) fn of_group(mut self) -> Self {
        if self.answer.status() == StatusCode::NO_CONTENT {
            *self.answer.status_mut() = StatusCode::OK;
        }
        self
    }

    /// What was counted, and what was refused.
    #[must_use]
    pub fn report(&self) -> &PushReport {
        &self.report
    }

    /// 204, or 200 with the report where the client asked for it or where lines of it were lost; of OTLP 200 and its
    /// own response; 202 for Faro; 200 for totals of a group.
    #[must_use]
    pub fn into_response(self) -> Response<ResponseBody> {
        self.answer
    }
}
