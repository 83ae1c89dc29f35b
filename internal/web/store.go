package web

import (
	"context"
	"time"

	"github.com/testrun-dev/testrun/internal/archive"
	"github.com/testrun-dev/testrun/internal/push"
)

// Store is what the API asks of archive.Store. Nothing here writes but Audit.
type Store interface {
	Runs(ctx context.Context, filter archive.Filter, page archive.Page) (runs []archive.Run, more bool, err error)
	Run(ctx context.Context, uid string) (archive.Run, error)
	RunNamed(ctx context.Context, namespace, name string) (archive.Run, error)
	Progress(ctx context.Context, uids []string) (map[string]push.Progress, error)
	// Changes and LastChange say what has changed since a change.
	Changes(ctx context.Context, after int64, limit int) ([]archive.Change, error)
	LastChange(ctx context.Context) (int64, error)
	Namespaces(ctx context.Context) ([]string, error)
	Object(ctx context.Context, uid string) ([]byte, error)
	QueueTimes(ctx context.Context, namespaces []string, since time.Time, most int) (times []archive.QueueTime, whole bool, err error)
	Attempts(ctx context.Context, uid string) ([]archive.Attempt, error)

	Stream(ctx context.Context, uid string, attempt int32, stream push.Stream) (archive.StreamState, error)
	Streams(ctx context.Context, uid string, attempt int32, after push.Stream, limit int) (states []archive.StreamState, more bool, err error)
	Chunks(ctx context.Context, uid string, attempt int32, stream push.Stream, from int64, limit int) ([]archive.Chunk, error)

	Cases(ctx context.Context, query archive.CaseQuery) (cases []archive.CaseResult, more bool, err error)
	Compare(ctx context.Context, query archive.CompareQuery) (found []archive.Difference, more bool, err error)
	CaseHistory(ctx context.Context, name archive.CaseName, after archive.HistoryKey, limit int) (outcomes []archive.CaseOutcome, more bool, err error)

	Tests(ctx context.Context, filter archive.Filter, after archive.SeriesKey, limit int) (tests []archive.SeriesSummary, more bool, err error)
	Test(ctx context.Context, namespace, series string) (archive.SeriesSummary, error)
	Flaky(ctx context.Context, filter archive.Filter, after archive.FlakyKey, limit int) (cases []archive.FlakyCase, more bool, err error)
	Trend(ctx context.Context, namespace, series string, from, to time.Time) ([]archive.Day, error)
	CaseTrend(ctx context.Context, name archive.CaseName, from, to time.Time) ([]archive.Day, error)

	Audit(ctx context.Context, entry archive.AuditEntry) error
	AuditLog(ctx context.Context, namespace string, after int64, limit int) (entries []archive.AuditEntry, more bool, err error)

	// ReadOnly says why nothing more can be stored now; empty if it can.
	ReadOnly() string
}
