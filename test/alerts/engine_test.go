package alerts

import (
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/template"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/tsdb/chunks"
	"github.com/prometheus/prometheus/util/annotations"
)

// firstOf evaluates the alert each minute and returns when it fires for the first time, which is when its expression has had the same labels for
// as long as its "for" says, and its summary then; -1 is never. Prometheus' package rules does the same, and brings the clients of three clouds.
func firstOf(t *testing.T, rule rule, series string) (first time.Duration, says string) {
	t.Helper()
	engine := promql.NewEngine(promql.EngineOpts{MaxSamples: 1e6, Timeout: time.Minute, Parser: parser.NewParser(parser.Options{})})
	defer engine.Close()
	query, err := engine.NewRangeQuery(t.Context(), stored(t, series), nil, rule.Expr, time.Unix(0, 0), time.Unix(0, 0).Add(lasts), time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	defer query.Close()
	result, err := query.Exec(t.Context()).Matrix()
	if err != nil {
		t.Fatal(err)
	}
	first = -1
	for _, found := range result {
		var since int64
		for i, point := range found.Floats {
			if i == 0 || point.T != found.Floats[i-1].T+time.Minute.Milliseconds() {
				since = point.T
			}
			at := time.Duration(point.T) * time.Millisecond
			if point.T-since < rule.For.Milliseconds() || first >= 0 && at >= first {
				continue
			}
			first = at
			says = expanded(t, rule, promql.Sample{Metric: found.Metric, T: point.T, F: point.F})["summary"]
		}
	}
	return first, says
}

// expanded are the annotations of an alert that fires.
func expanded(t *testing.T, rule rule, sample promql.Sample) map[string]string {
	t.Helper()
	texts := map[string]string{}
	data := template.AlertTemplateData(sample.Metric.Map(), nil, "", sample)
	for name, text := range rule.Annotations {
		expander := template.NewTemplateExpander(t.Context(), "{{$labels := .Labels}}{{$value := .Value}}"+text, rule.Alert, data, model.Time(sample.T), nil, nil,
			[]string{"missingkey=error"})
		var err error
		if texts[name], err = expander.Expand(); err != nil {
			t.Errorf("its %s: %v", name, err)
		}
	}
	return texts
}

// stored are series, a line each, with a sample for each minute.
func stored(t *testing.T, lines string) storage.Queryable {
	t.Helper()
	var kept []storage.Series
	for line := range strings.Lines(lines) {
		name, values, err := parser.NewParser(parser.Options{}).ParseSeriesDesc(strings.TrimSpace(line))
		if err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		var samples []chunks.Sample
		for i, value := range values {
			if !value.Omitted {
				samples = append(samples, sample{at: (time.Duration(i) * time.Minute).Milliseconds(), value: value.Value})
			}
		}
		kept = append(kept, storage.NewListSeries(name, samples))
	}
	find := func(_ bool, _ *storage.SelectHints, matchers ...*labels.Matcher) storage.SeriesSet {
		var found []storage.Series
		for _, series := range kept {
			if matches(series.Labels(), matchers) {
				found = append(found, series)
			}
		}
		return &set{series: found}
	}
	return &storage.MockQueryable{MockQuerier: &storage.MockQuerier{SelectMockFunction: find}}
}

func matches(name labels.Labels, matchers []*labels.Matcher) bool {
	for _, matcher := range matchers {
		if !matcher.Matches(name.Get(matcher.Name)) {
			return false
		}
	}
	return true
}

// set is a storage.SeriesSet.
type set struct {
	series []storage.Series
	next   int
}

func (s *set) Next() bool                        { s.next++; return s.next <= len(s.series) }
func (s *set) At() storage.Series                { return s.series[s.next-1] }
func (s *set) Err() error                        { return nil }
func (s *set) Warnings() annotations.Annotations { return nil }

// sample is a chunks.Sample.
type sample struct {
	at    int64
	value float64
}

func (s sample) T() int64                      { return s.at }
func (s sample) ST() int64                     { return 0 }
func (s sample) F() float64                    { return s.value }
func (s sample) H() *histogram.Histogram       { return nil }
func (s sample) FH() *histogram.FloatHistogram { return nil }
func (s sample) Type() chunkenc.ValueType      { return chunkenc.ValFloat }
func (s sample) Copy() chunks.Sample           { return s }
