package web

import (
	"context"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/testrun-dev/testrun/internal/archive"
)

// Series is what runs are compared within: those of a Test, for one.
type Series struct {
	Namespace string  `json:"namespace"`
	Series    string  `json:"series"`
	Test      string  `json:"test,omitempty" doc:"The name of the Test, if it is one."`
	Last      LastRun `json:"last" doc:"The newest run."`
	Recent    Rates   `json:"recent" doc:"The last 30 days."`
}

// LastRun is the newest run of a series.
type LastRun struct {
	UID     string    `json:"uid"`
	Run     string    `json:"run"`
	Verdict string    `json:"verdict,omitempty" doc:"None until the run has finished."`
	Created time.Time `json:"created"`
}

// Rates are numbers of what ended in some time.
type Rates struct {
	Runs      int64   `json:"runs"`
	Passed    int64   `json:"passed"`
	Failed    int64   `json:"failed"`
	Errored   int64   `json:"errored"`
	TimedOut  int64   `json:"timedOut"`
	Cancelled int64   `json:"cancelled"`
	Flaky     int64   `json:"flaky"`
	Seconds   float64 `json:"seconds" doc:"How long all of them took together."`
}

func ratesOf(r archive.Rates) Rates {
	return Rates{r.Runs, r.Passed, r.Failed, r.Errored, r.TimedOut, r.Cancelled, r.Flaky, r.Duration.Seconds()}
}

func seriesOf(summary archive.SeriesSummary) Series {
	return Series{
		Namespace: summary.Namespace, Series: summary.Series, Test: summary.Test, Recent: ratesOf(summary.Recent),
		Last: LastRun{summary.LastUID, summary.LastRun, summary.LastVerdict, summary.LastCreated.UTC()},
	}
}

// SeriesList is a page of series, by name.
type SeriesList struct {
	Items []Series `json:"items" nullable:"false"`
	Page
}

type (
	seriesListOutput struct{ Body SeriesList }
	seriesOutput     struct{ Body Series }
)

type seriesPlace struct {
	Namespace string `json:"n"`
	Series    string `json:"s"`
}

type allSeriesInput struct {
	SomeNamespaces
	Paged
}

func (s *server) registerSeries(api huma.API) {
	overNamespaces(s, api, operation{
		id: "list-all-series", path: "/series", summary: "The series of all namespaces", description: "By namespace and name.",
	}, func(input *allSeriesInput) []string { return input.Namespace }, func(ctx context.Context, namespaces []string, input *allSeriesInput) (*seriesListOutput, error) {
		return s.allSeries(ctx, namespaces, &input.Paged)
	})
	ofNamespace(s, api, inNamespace, operation{
		id: "list-series", path: "/series", summary: "The series of a namespace", description: "Its Tests, and what else runs are compared within, by name.",
	}, func(ctx context.Context, where place, input *Paged) (*seriesListOutput, error) {
		return s.allSeries(ctx, []string{where.namespace}, input)
	})
	ofNamespace(s, api, inNamespace+"/series/{series}", operation{id: "get-series", summary: "A series", description: "A Test, for one."}, s.oneSeries)
	ofNamespace(s, api, inNamespace+"/series/{series}", operation{
		id: "get-trend", path: "/trend", summary: "The trend of a series", description: "A series by day, the oldest first. Days without a run are left out.",
	}, s.trend)
}

func (s *server) allSeries(ctx context.Context, namespaces []string, input *Paged) (*seriesListOutput, error) {
	var place seriesPlace
	if err := afterCursor(input.After, &place); err != nil {
		return nil, err
	}
	if !isText(place.Namespace) || !isText(place.Series) {
		return nil, afterCursor("!", nil)
	}
	tests, more, err := s.store.Tests(ctx, archive.Filter{Namespaces: namespaces}, archive.SeriesKey(place), input.Limit)
	if err != nil {
		return nil, err
	}
	output := &seriesListOutput{SeriesList{Items: make([]Series, 0, len(tests))}}
	for _, test := range tests {
		output.Body.Items = append(output.Body.Items, seriesOf(test))
	}
	if more && len(tests) > 0 {
		last := tests[len(tests)-1]
		output.Body.Next = cursor(seriesPlace{last.Namespace, last.Series})
	}
	return output, nil
}

func (s *server) oneSeries(ctx context.Context, where place, _ *none) (*seriesOutput, error) {
	summary, err := s.store.Test(ctx, where.namespace, where.series)
	if err != nil {
		return nil, err
	}
	return &seriesOutput{seriesOf(summary)}, nil
}

// LastDays is the parameter of a trend.
type LastDays struct {
	Days int `query:"days" default:"30" minimum:"1" maximum:"366" doc:"How many days, the last of which is today (UTC)."`
}

// span is from the beginning of the first day to now.
func (i LastDays) span() (from, to time.Time) {
	to = time.Now().UTC()
	return to.Truncate(24*time.Hour).AddDate(0, 0, 1-i.Days), to
}

// Day is one day of a trend.
type Day struct {
	Day string `json:"day" format:"date" doc:"In UTC."`
	Rates
	P50 float64 `json:"p50Seconds,omitempty" doc:"What half of the runs did not exceed, from their start to their end, to 5 %. None in the trend of a case."`
	P95 float64 `json:"p95Seconds,omitempty" doc:"The same for 95 of 100 runs."`
}

// Trend is a number of days.
type Trend struct {
	Items []Day `json:"items" nullable:"false"`
}

type trendOutput struct{ Body Trend }

func trendOf(days []archive.Day, err error) (*trendOutput, error) {
	if err != nil {
		return nil, err
	}
	output := &trendOutput{Trend{Items: make([]Day, 0, len(days))}}
	for _, day := range days {
		output.Body.Items = append(output.Body.Items, Day{day.Day.UTC().Format(time.DateOnly), ratesOf(day.Rates), day.P50.Seconds(), day.P95.Seconds()})
	}
	return output, nil
}

func (s *server) trend(ctx context.Context, where place, input *LastDays) (*trendOutput, error) {
	from, to := input.span()
	return trendOf(s.store.Trend(ctx, where.namespace, where.series, from, to))
}

type caseTrendInput struct {
	Named
	LastDays
}

func (s *server) caseTrend(ctx context.Context, where place, input *caseTrendInput) (*trendOutput, error) {
	name, err := input.in(where)
	if err != nil {
		return nil, err
	}
	from, to := input.span()
	return trendOf(s.store.CaseTrend(ctx, name, from, to))
}
