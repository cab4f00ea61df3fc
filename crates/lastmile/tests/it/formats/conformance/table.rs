//! What becomes of each case of a set, where it is not simply read or refused, and of each of its families, where it
//! is not simply written and read back; of the others, how many there are. A family stands behind its case.
//!
//! "valid, with" and "bad, with" are what we never write: our reader says so, and judges it no further. What is
//! "never written by us" it refuses, though scrapers let it pass.

pub(super) const SETS: &[(&str, &[(&str, &str)])] = &[
    (
        "openmetrics-parsers",
        &[
            (
                "bad, with a timestamp",
                "bad_grouping_or_ordering_10 bad_grouping_or_ordering_4
                 bad_grouping_or_ordering_5 bad_grouping_or_ordering_6
                 bad_grouping_or_ordering_7 bad_grouping_or_ordering_8
                 bad_grouping_or_ordering_9 bad_timestamp_4 bad_timestamp_5
                 bad_timestamp_7",
            ),
            (
                "bad, with a type of others",
                "bad_counter_values_10 bad_counter_values_11 bad_counter_values_12
                 bad_counter_values_13 bad_counter_values_14
                 bad_exemplars_on_unallowed_metric_types_2
                 bad_exemplars_on_unallowed_samples_1 bad_grouping_or_ordering_2
                 bad_histograms_14 bad_histograms_6 bad_histograms_7 bad_histograms_8
                 bad_info_and_stateset_values_1 bad_missing_or_invalid_labels_for_a_type_6
                 bad_missing_or_invalid_labels_for_a_type_7 bad_stateset_info_values_0
                 bad_stateset_info_values_2 bad_unit_7",
            ),
            (
                "not written: a bound below 0, where we take no observation",
                "negative_bucket_histogram",
            ),
            ("not written: a type that we have not", "nan no_metadata untyped"),
            ("not written: a value that is not finite", "labels_and_infinite nan_gauge"),
            (
                "not written: no _sum and _count",
                "exemplars_wide_chars exemplars_with_hash_in_label_values
                 histogram_exemplars roundtrip:bar",
            ),
            (
                "not written: no samples, where we have a series from the start",
                "empty_metadata null_byte",
            ),
            ("read", "34"),
            ("refused", "139"),
            (
                "valid, with a timestamp",
                "counter_exemplars counter_exemplars_empty_brackets duplicate_timestamps_0
                 duplicate_timestamps_1 info_timestamps timestamps",
            ),
            (
                "valid, with a type of others",
                "gaugehistogram_exemplars negative_bucket_gaugehistogram
                 simple_gaugehistogram simple_stateset",
            ),
            ("written and read back", "42"),
            (
                "written, but for a sum that no observations in its buckets have",
                "histogram_noncanonical:a roundtrip:foo simple_histogram:a",
            ),
            (
                "written, but for its quantiles",
                "roundtrip:go_gc_duration_seconds
                 roundtrip:prometheus_local_storage_indexing_batch_duration_milliseconds
                 summary_quantiles:a",
            ),
        ],
    ),
    (
        "client-python",
        &[
            ("bad, with a native histogram", "om/bad_170"),
            (
                "bad, with a timestamp",
                "om/bad_160 om/bad_161 om/bad_162 om/bad_163 om/bad_164 om/bad_165
                 om/bad_166 om/bad_78 om/bad_79 om/bad_80 om/bad_81",
            ),
            (
                "bad, with a type of others",
                "om/bad_102 om/bad_103 om/bad_105 om/bad_113 om/bad_114 om/bad_127
                 om/bad_128 om/bad_129 om/bad_130 om/bad_131 om/bad_132 om/bad_133
                 om/bad_141 om/bad_146 om/bad_147 om/bad_148 om/bad_149 om/bad_158
                 om/bad_49 om/bad_97",
            ),
            (
                "not written: a bound below 0, where we take no observation",
                "om/negative_bucket_histogram",
            ),
            (
                "not written: a type that we have not",
                "om/nan om/no_metadata om/simple_info om/untyped text/nan text/no_metadata
                 text/untyped",
            ),
            ("not written: a value that is not finite", "om/labels_and_infinite om/nan_gauge"),
            (
                "not written: no _sum and _count",
                "om/exemplars_with_hash_in_label_values om/histogram_exemplars
                 om/roundtrip:bar",
            ),
            (
                "not written: no samples, where we have a series from the start",
                "om/empty_metadata om/null_byte",
            ),
            ("read", "53"),
            ("refused", "140"),
            (
                "valid, and never written by us: a bad name",
                "text/commas text/extra_whitespace text/spaces",
            ),
            ("valid, and never written by us: a bad number", "text/timestamps"),
            (
                "valid, and never written by us: below zero, or no number",
                "text/labels_and_infinite",
            ),
            ("valid, and never written by us: no space", "text/tabs"),
            ("valid, and never written by us: no space behind the name", "text/empty_help"),
            (
                "valid, with a native histogram",
                "om/native_histogram
                 om/native_histogram_three_pos_spans_no_neg_spans_or_deltas
                 om/native_histogram_utf8 om/native_histogram_utf8_stress
                 om/native_histogram_with_classic_histogram
                 om/native_histogram_with_labels om/native_histogram_with_labels_utf8
                 om/native_plus_classic_histogram_two_labelsets",
            ),
            (
                "valid, with a timestamp",
                "om/counter_exemplars om/counter_exemplars_empty_brackets
                 om/counter_exemplars_utf8 om/duplicate_timestamps om/info_timestamps
                 om/timestamps",
            ),
            (
                "valid, with a type of others",
                "om/gaugehistogram_exemplars om/negative_bucket_gaugehistogram
                 om/simple_gaugehistogram om/simple_stateset",
            ),
            ("written and read back", "39"),
            (
                "written, but for a sum that no observations in its buckets have",
                "om/histogram_noncanonical:a om/roundtrip:foo om/simple_histogram:a
                 om/simple_histogram_float_values:a om/utf8_histogram_float_values:a.b
                 text/simple_histogram:a",
            ),
            (
                "written, but for its quantiles",
                "om/roundtrip:go_gc_duration_seconds
                 om/roundtrip:prometheus_local_storage_indexing_batch_duration_milliseconds
                 om/summary_quantiles:a text/roundtrip:go_gc_duration_seconds
                 text/roundtrip:prometheus_local_storage_indexing_batch_duration_milliseconds
                 text/roundtrip:my.utf8.metric.#{}= text/summary_quantiles:a",
            ),
        ],
    ),
    (
        "prom-common-expfmt",
        &[
            (
                "no text exposition",
                "json2 json2_bad protobuf protobuf-multimessage protobuf.gz text.gz",
            ),
            ("not written: a type that we have not", "minimal"),
            ("read", "4"),
            ("refused", "20"),
            ("valid, and never written by us: a bad number", "from_test_parse_2"),
            ("valid, with a timestamp", "from_test_parse_1 from_test_parse_3"),
            ("written and read back", "28"),
            (
                "written, but for its quantiles",
                "text:http_request_duration_microseconds text:http_request_size_bytes
                 text:http_response_size_bytes
                 text:prometheus_evaluator_duration_milliseconds
                 text:prometheus_local_storage_indexing_batch_latency_milliseconds
                 text:prometheus_local_storage_indexing_batch_sizes
                 text:prometheus_local_storage_persist_latency_microseconds
                 text:prometheus_notifications_latency_milliseconds
                 text:prometheus_rule_evaluation_duration_milliseconds
                 text:prometheus_target_interval_length_seconds",
            ),
        ],
    ),
    (
        "prometheus-promtool",
        &[
            (
                "no text exposition",
                "dump-series-1.prom dump-series-2.prom dump-series-3.prom dump-test-1.prom
                 dump-test-2.prom dump-test-3.prom",
            ),
            ("read", "1"),
            (
                "valid, with a timestamp",
                "dump-openmetrics-roundtrip-test.prom dump-openmetrics-test.prom",
            ),
            ("written and read back", "3"),
            ("written, but for its quantiles", "metrics-test.prom:go_gc_duration_seconds"),
        ],
    ),
    (
        "prometheus-textparse",
        &[
            (
                "not written: a name that another family has in OpenMetrics",
                "alltypes.237mfs.prom.txt:go_memstats_alloc_bytes_total",
            ),
            (
                "not written: more observations than a test makes",
                "alltypes.237mfs.prom.txt:go_gc_heap_allocs_by_size_bytes
                 alltypes.237mfs.prom.txt:go_gc_heap_frees_by_size_bytes
                 alltypes.237mfs.prom.txt:go_sched_latencies_seconds
                 alltypes.237mfs.prom.txt:prometheus_engine_query_duration_seconds",
            ),
            ("read", "2"),
            ("valid, and never written by us: below zero, or no number", "alltypes.5mfs.om.txt"),
            (
                "valid, and never written by us: two families have this name",
                "alltypes.237mfs.nometa.prom.txt",
            ),
            ("written and read back", "219"),
            (
                "written, but for a sum that no observations in its buckets have",
                "alltypes.237mfs.prom.txt:go_gc_pauses_seconds
                 alltypes.237mfs.prom.txt:go_sched_pauses_stopping_gc_seconds
                 alltypes.237mfs.prom.txt:go_sched_pauses_total_gc_seconds
                 alltypes.237mfs.prom.txt:prometheus_http_response_size_bytes",
            ),
            (
                "written, but for its quantiles",
                "alltypes.237mfs.prom.txt:go_gc_duration_seconds
                 alltypes.237mfs.prom.txt:prometheus_notifications_latency_seconds
                 alltypes.237mfs.prom.txt:prometheus_rule_evaluation_duration_seconds
                 alltypes.237mfs.prom.txt:prometheus_rule_group_duration_seconds
                 alltypes.237mfs.prom.txt:prometheus_sd_consul_rpc_duration_seconds
                 alltypes.237mfs.prom.txt:prometheus_sd_file_scan_duration_seconds
                 alltypes.237mfs.prom.txt:prometheus_sd_kuma_fetch_duration_seconds
                 alltypes.237mfs.prom.txt:prometheus_target_interval_length_seconds
                 alltypes.237mfs.prom.txt:prometheus_target_sync_length_seconds
                 alltypes.237mfs.prom.txt:prometheus_tsdb_wal_fsync_duration_seconds",
            ),
        ],
    ),
];
