package jobtable

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/testrun-dev/testrun/test/points"
)

// strikes are all that goes wrong at each point.
var strikes = []strike{
	{name: "the program is killed before a call", before: true, kills: true},
	{name: "the program is killed after a call", after: true, kills: true},
	{name: "a connection breaks before a call", before: true},
	{name: "a connection breaks after a call", after: true},
	{name: "another program looks at the same time", beside: (*history).another},
	{name: "the tests get on", beside: (*history).operate},
	{name: "retention deletes what it may", beside: (*history).retain},
	{name: "the application cancels a row", beside: func(h *history) {
		h.application("UPDATE %s SET status = 'cancelled' WHERE test_id = 2 AND status <> 'finished'")
	}},
	{name: "the application deletes a row", beside: func(h *history) { h.application("DELETE FROM %s WHERE test_id = 2") }},
	{name: "a user deletes a run", beside: (*history).deleteRun},
	{name: "the database fails over and loses its last changes", beside: (*history).failOver},
	{name: "the cache falls behind", beside: func(h *history) { h.behind = 1 }},
	{name: "the cache falls behind what another program does", beside: (*history).fallBehind},
}

// live is the life of four rows. The strike happens somewhere in it.
func (h *history) live() {
	ctx := context.Background()
	slow, err := h.s.sql.BeginTx(ctx, nil)
	h.must(err)
	insert := "INSERT INTO " + h.name + " (test_id, type) VALUES (%d, '%s')"
	_, err = slow.ExecContext(ctx, fmt.Sprintf(insert, 1, "unit"))
	h.must(err)
	for test, name := range map[int]string{2: "unit", 3: "unit", 4: "No such test"} {
		h.exec(fmt.Sprintf(insert, test, name))
	}
	before := ""
	for step := range 14 {
		h.save()
		if before != "" {
			h.saved, before = before, h.saved
		} else {
			before = h.saved
		}
		h.look()
		if step == 0 {
			h.must(slow.Commit())
		}
		h.late.Wait() // after the commit: MariaDB's UPDATE waits for rows that are inserted
		h.behind = max(0, h.behind-1)
		h.now = h.now.Add(35 * time.Second)
		if step == 2 {
			h.exec("UPDATE %s SET status = 'cancelled' WHERE test_id = 3 AND status <> 'finished'")
		}
		h.operate()
		h.retain()
		if step > 4 && h.hasEnded() {
			return
		}
	}
}

// stride is from how many points one is tried, when not all are.
const stride = 97

func TestARowKeepsItsPromisesWhateverStrikes(t *testing.T) {
	count := points.Of(t, "job tables: something strikes at a call to SQL or Kubernetes")
	try := func(t *testing.T, kind string) {
		t.Helper()
		s := newShared(t, kind)
		for i, what := range strikes {
			t.Run(what.name, func(t *testing.T) {
				t.Parallel()
				first, step := 1+i, stride
				if points.All() {
					first, step = 1, 1
				}
				for point, more := first, true; more; point += step {
					t.Run(fmt.Sprintf("call %d", point), func(t *testing.T) {
						c := &calls{point: point, strike: what}
						h := s.begin(t, c)
						h.live()
						h.check()
						if c.struck {
							count.Tried(t)
						}
						more = c.struck
						h.end()
					})
				}
			})
		}
	}
	if points.All() {
		onBoth(t, try)
	} else {
		try(t, onPostgres)
	}
}
