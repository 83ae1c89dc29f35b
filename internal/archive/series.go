package archive

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Rates are numbers of runs by their verdict. For a case, Failed are the results that failed or errored, and Passed are the others that were
// not skipped.
type Rates struct {
	Runs, Passed, Failed, Errored, TimedOut, Cancelled, Flaky int64
	// Duration is that of all runs, added up.
	Duration time.Duration
}

// SeriesKey names a series.
type SeriesKey struct {
	Namespace, Series string
}

// SeriesSummary is how a series is.
type SeriesSummary struct {
	SeriesKey
	// Test is the name of its Test; empty if it has none.
	Test string
	// The newest run that has finished; empty if there is none.
	LastUID, LastRun, LastVerdict string
	LastCreated                   time.Time
	// Recent are the runs of the last recentDays days.
	Recent Rates
}

// Day is what happened on a day, in UTC.
type Day struct {
	Day time.Time
	Rates
	// P50 and P95 are what 50 and 95 of 100 runs did not exceed, to 5 %. They are 0 for a case, and if no run has started.
	P50, P95 time.Duration
}

const recentDays = 30

const seriesColumns = `s.namespace, s.series, s.test, s.last_uid, s.last_name, s.last_verdict, s.last_created`

// Tests lists series by namespace and name, with and without a Test. Of the filter, the namespaces count.
func (s *Store) Tests(ctx context.Context, filter Filter, after SeriesKey, limit int) (series []SeriesSummary, more bool, err error) {
	namespaces, all := filter.namespaces()
	if all {
		if namespaces, err = s.Namespaces(ctx); err != nil {
			return nil, false, err
		}
	}
	namespaces = slices.Sorted(slices.Values(namespaces))
	for _, namespace := range namespaces {
		begin := ""
		switch order := strings.Compare(namespace, after.Namespace); {
		case order < 0:
			continue
		case order == 0:
			begin = after.Series
		}
		missing := pageSize(limit) + 1 - len(series)
		if missing <= 0 {
			break
		}
		found, err := s.seriesOf(ctx, listSeries, namespace, begin, missing)
		if err != nil {
			return nil, false, err
		}
		series = append(series, found...)
	}
	series, more = cutPage(series, limit)
	return series, more, nil
}

const (
	listSeries = "SELECT " + seriesColumns + " FROM series s WHERE s.namespace = $1 AND s.series > $2 ORDER BY s.series LIMIT $3"
	getSeries  = "SELECT " + seriesColumns + " FROM series s WHERE s.namespace = $1 AND s.series = $2 LIMIT $3"
)

// Test is how one series is.
func (s *Store) Test(ctx context.Context, namespace, series string) (SeriesSummary, error) {
	found, err := s.seriesOf(ctx, getSeries, namespace, plain(series), 1)
	if err == nil && len(found) == 0 {
		err = fmt.Errorf("series %s/%s: %w", namespace, series, ErrNotFound)
	}
	if err != nil {
		return SeriesSummary{}, err
	}
	return found[0], nil
}

func (s *Store) seriesOf(ctx context.Context, statement string, args ...any) ([]SeriesSummary, error) {
	var out []SeriesSummary
	err := s.list(ctx, statement, args, func(scan scanner) error {
		var one SeriesSummary
		var created int64
		err := scan(&one.Namespace, &one.Series, &one.Test, &one.LastUID, &one.LastRun, &one.LastVerdict, &created)
		one.LastCreated = timeOf(created)
		out = append(out, one)
		return err
	})
	if err != nil {
		return nil, err
	}
	now := s.now()
	for i := range out {
		days, err := s.Trend(ctx, out[i].Namespace, out[i].Series, now.AddDate(0, 0, 1-recentDays), now.AddDate(0, 0, 1))
		if err != nil {
			return nil, err
		}
		for _, day := range days {
			out[i].Recent.add(day.Rates)
		}
	}
	return out, nil
}

func (r *Rates) add(other Rates) {
	r.Runs += other.Runs
	r.Passed += other.Passed
	r.Failed += other.Failed
	r.Errored += other.Errored
	r.TimedOut += other.TimedOut
	r.Cancelled += other.Cancelled
	r.Flaky += other.Flaky
	r.Duration += other.Duration
}

// MaxDays is how many days a trend has at most: the first ones.
const MaxDays = 1000

// Trend lists the days of a series on which runs were created that have finished, from one day to another, which it leaves out.
func (s *Store) Trend(ctx context.Context, namespace, series string, from, to time.Time) ([]Day, error) {
	var days []Day
	err := s.list(ctx, listDays, []any{namespace, plain(series), dayOf(from.UnixMicro()), lastDay(to), MaxDays}, func(scan scanner) error {
		var d Day
		var day, duration int64
		var data []byte
		err := scan(&day, &d.Runs, &d.Passed, &d.Failed, &d.Errored, &d.TimedOut, &d.Cancelled, &d.Flaky, &duration, &data)
		if err != nil {
			return err
		}
		durations, err := decodeHistogram(data)
		d.Day, d.Duration = timeOfDay(day), time.Duration(duration)*time.Microsecond
		d.P50, d.P95 = durations.percentile(50), durations.percentile(95)
		days = append(days, d)
		return err
	})
	return days, err
}

// lastDay is the day before to, unless that is within a day.
func lastDay(to time.Time) int64 { return dayOf(to.UnixMicro() - 1) }

const listDays = `SELECT day, runs, passed, failed, errored, timed_out, cancelled, flaky, duration, durations FROM test_daily
	WHERE namespace = $1 AND series = $2 AND day >= $3 AND day <= $4 ORDER BY day LIMIT $5`
