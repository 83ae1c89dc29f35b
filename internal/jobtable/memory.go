package jobtable

import (
	"context"
	"sync/atomic"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/testrun-dev/testrun/internal/jobtable/rows"
)

const (
	// firstPause and lastPause are how long a row is left alone after it could not be handled: twice as long each time.
	firstPause = 5 * time.Second
	lastPause  = 5 * time.Minute
	// maxRemembered is how many rows are remembered of each sort.
	maxRemembered = 10_000
)

// memory is what is remembered of a table from one look to the next. All of it may be lost: it spares work, and tells people more.
type memory struct {
	// url is what the file of the database held, and generation that of the JobTable that the table was looked at for.
	url        string
	generation int64
	database   *rows.Database
	table      *rows.Table
	// lookedAt is when the table itself was looked at, and passedAt when its rows were.
	lookedAt, passedAt time.Time
	// stopListening ends the connection that listens; nil if there is none.
	stopListening context.CancelFunc
	// isPooled means that a pooler lets no connection listen.
	isPooled atomic.Bool
	// rows and runs are those that were refused, by the names of the runs.
	rows, runs refusals
	// deleted are the names of runs that were seen to go while their rows had not finished.
	deleted map[string]bool
	// told are rows of which an event was written, by the names of their runs.
	told map[string]bool
	// oldest is the first pending row, and since when it has waited.
	oldest      rows.Key
	oldestSince *metav1.Time
}

func newMemory() *memory {
	return &memory{rows: refusals{}, runs: refusals{}, deleted: map[string]bool{}, told: map[string]bool{}}
}

// close ends all connections.
func (m *memory) close() {
	if m.stopListening != nil {
		m.stopListening()
		m.stopListening = nil
	}
	m.isPooled.Store(false)
	if m.database != nil {
		_ = m.database.Close()
	}
	m.database, m.table = nil, nil
}

// remember adds a name, if there is room for it.
func remember(names map[string]bool, name string) {
	if len(names) < maxRemembered {
		names[name] = true
	}
}

// refusal is a row, or its run, that was refused.
type refusal struct {
	id, message string
	pause       time.Duration
	until       time.Time
}

type refusals map[string]refusal

func (r refusals) add(name, id, message string, now time.Time) {
	old, known := r[name]
	if !known && len(r) >= maxRemembered {
		return
	}
	pause := min(max(2*old.pause, firstPause), lastPause)
	r[name] = refusal{id: id, message: message, pause: pause, until: now.Add(pause)}
}

// isPaused says whether a row is left alone for now.
func (r refusals) isPaused(name string, now time.Time) bool { return now.Before(r[name].until) }

// forget drops those that have not been refused again for a while: they were handled, or are gone.
func (r refusals) forget(now time.Time) {
	for name, refused := range r {
		if now.Sub(refused.until) > time.Minute {
			delete(r, name)
		}
	}
}

// any is one of them.
func (r refusals) any() refusal {
	var first refusal
	for _, refused := range r {
		if first.id == "" || refused.id < first.id {
			first = refused
		}
	}
	return first
}
