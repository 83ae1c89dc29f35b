package server

import (
	"context"
	"database/sql"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/archive"
	"github.com/testrun-dev/testrun/internal/archivestatus"
	"github.com/testrun-dev/testrun/test/builders"
	"github.com/testrun-dev/testrun/test/points"
	"github.com/testrun-dev/testrun/test/postgres"
)

// death says when the leader is killed: at its nth statement that changes a table, before the transaction is committed, or right after.
type death struct {
	table string
	nth   int
	after bool
}

func (d death) String() string {
	return fmt.Sprintf("at change %d of %s, committed=%t", d.nth, d.table, d.after)
}

// deaths are those to try. Those of the sample are one in the watch, and one between a blob and its row.
func deaths() []death {
	if !points.All() {
		return []death{{"cursor_of_watch", 2, false}, {"chunks", 5, false}, {"streams", 3, true}}
	}
	var all []death
	for _, table := range []string{
		"runs", "objects", "attempts", "streams", "chunks", "namespaces", "case_defs", "details", "case_results", "case_state", "case_daily",
		"test_daily", "series", "cursor_of_watch",
	} {
		for _, nth := range []int{1, 3} {
			all = append(all, death{table, nth, false}, death{table, nth, true})
		}
	}
	return all
}

func TestOneOfTwoReplicasIsKilledAtAnyPointAndTheOtherOneGoesOn(t *testing.T) {
	t.Parallel()
	count := points.Of(t, "the leader of two replicas is killed")
	for _, d := range deaths() {
		t.Run(d.String(), func(t *testing.T) {
			t.Parallel()
			server, err := database()
			if err != nil {
				t.Fatal(err)
			}
			killTheLeader(t, server, d)
			count.Tried(t)
		})
	}
}

func killTheLeader(t *testing.T, server *postgres.Server, d death) {
	t.Helper()
	url, err := server.NewDatabase(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, url, filepath.Join(t.TempDir(), "blobs"))
	first := w.start(url + "&application_name=victim")
	w.waitForLeader()
	second := w.start(url)
	addresses := []string{first.push, second.push}
	w.WaitFor("the second one listens", func() bool { return isReady(w, second) })

	struck := w.arm(d)
	told := &promises{world: w}
	stopLooking := told.watch()
	var pushers []*pusher
	for i := range 3 {
		p := w.newPusher(fmt.Sprintf("smoke-%d", i), 12)
		told.add(p.run)
		pushers = append(pushers, p)
	}
	var load sync.WaitGroup
	for _, p := range pushers {
		load.Go(func() {
			if err := p.pushAll(w.Ctx, addresses); err != nil {
				t.Error(err)
				return
			}
			if err := p.finish(); err != nil {
				t.Error(err)
			}
			told.add(p.run)
		})
	}
	load.Go(func() {
		if err := w.others(told); err != nil {
			t.Error(err)
		}
	})
	w.waitForStrike(struck)
	first.end()
	w.release()
	w.start(url) // as Kubernetes does
	load.Wait()
	w.expectAll(told, pushers)
	stopLooking()
}

func isReady(w *world, r *replica) bool {
	w.T.Helper()
	answer, err := client.Get("http://" + r.health + "/readyz")
	if err != nil {
		return false
	}
	_ = answer.Body.Close()
	return answer.StatusCode == http.StatusOK
}

// others are runs that nobody pushes for: they come, and some of them go.
func (w *world) others(told *promises) error {
	for i := range 12 {
		run := builders.TestRun(fmt.Sprintf("other-%d", i)).In(w.Namespace).DeepCopy()
		if err := w.Client.Create(w.Ctx, run); err != nil {
			return err
		}
		told.add(run)
		if i%2 == 0 {
			if err := w.Client.Delete(w.Ctx, run); err != nil {
				return err
			}
			list := &v1alpha1.TestRunList{}
			if err := w.Client.List(w.Ctx, list); err != nil {
				return err
			}
			told.addGone(run, list.ResourceVersion)
		}
		time.Sleep(50 * time.Millisecond)
	}
	return nil
}

// expectAll waits until all is stored, and checks that nothing is missing or there twice.
func (w *world) expectAll(told *promises, pushers []*pusher) {
	w.T.Helper()
	w.WaitForWithin(time.Minute, "the operator is told that all is stored", func() bool {
		status, err := w.status()
		w.Must(err)
		return told.allWithin(status)
	})
	for _, p := range pushers {
		p.expectWhole()
	}
	told.check()
	runs, more, err := w.store.Runs(w.Ctx, archive.Filter{Namespace: w.Namespace}, archive.Page{Limit: archive.MaxPage})
	w.Must(err)
	if more || len(runs) != told.count() {
		w.T.Errorf("%d runs are kept, want %d", len(runs), told.count())
	}
	if _, err := os.Stat(w.blobsDir); err != nil {
		w.T.Error(err)
	}
}

// struckBy is the key of the lock that the victim waits for before it commits.
const struckBy = 4242

// arm has the database hold the victim up at its death, or tell of it once it has committed. Both are seen on the connection.
func (w *world) arm(d death) *sql.Conn {
	w.T.Helper()
	db, err := sql.Open("pgx", w.url)
	w.Must(err)
	w.T.Cleanup(func() { _ = db.Close() })
	conn, err := db.Conn(w.Ctx)
	w.Must(err)
	act := fmt.Sprintf("PERFORM pg_advisory_xact_lock(%d)", struckBy)
	if d.after {
		act = "INSERT INTO struck VALUES (1)"
	}
	for _, statement := range []string{
		fmt.Sprintf("SELECT pg_advisory_lock(%d)", struckBy), "CREATE TABLE struck (n bigint)", "CREATE SEQUENCE strikes",
		fmt.Sprintf(`CREATE FUNCTION strike() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
			IF current_setting('application_name') = 'victim' AND nextval('strikes') = %d THEN %s; END IF;
			RETURN NULL; END $$`, d.nth, act),
		"CREATE TRIGGER strike AFTER INSERT OR UPDATE OR DELETE ON " + d.table + " FOR EACH STATEMENT EXECUTE FUNCTION strike()",
	} {
		_, err := conn.ExecContext(w.Ctx, statement)
		w.Must(err)
	}
	return conn
}

func (w *world) waitForStrike(conn *sql.Conn) {
	w.T.Helper()
	w.Interval = time.Millisecond
	defer func() { w.Interval = 50 * time.Millisecond }()
	w.WaitFor("the leader comes to where it is killed", func() bool {
		var n int
		w.Must(conn.QueryRowContext(w.Ctx, `SELECT (SELECT count(*) FROM struck) + (SELECT count(*) FROM pg_locks
			WHERE locktype = 'advisory' AND objid = $1 AND NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))`,
			struckBy).Scan(&n))
		return n > 0
	})
}

// release lets the database see that the victim is gone.
func (w *world) release() {
	w.T.Helper()
	db, err := sql.Open("pgx", w.url)
	w.Must(err)
	defer db.Close()
	_, err = db.ExecContext(context.WithoutCancel(w.Ctx), `SELECT pg_terminate_backend(pid) FROM pg_locks
		WHERE locktype = 'advisory' AND objid = $1 AND granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`, struckBy)
	w.Must(err)
}

// promises are what the API server has told the test, and the watermark is held against.
type promises struct {
	*world
	mu       sync.Mutex
	versions map[string]string // of runs that are there, by UID
	gone     map[string]string // up to which version it has happened that a run is deleted
}

func (p *promises) add(run *v1alpha1.TestRun) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.versions == nil {
		p.versions, p.gone = map[string]string{}, map[string]string{}
	}
	p.versions[string(run.UID)] = run.ResourceVersion
}

func (p *promises) addGone(run *v1alpha1.TestRun, version string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.gone[string(run.UID)] = version
}

func (p *promises) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.versions)
}

func (p *promises) allWithin(status archivestatus.Status) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, versions := range []map[string]string{p.versions, p.gone} {
		for _, version := range versions {
			if !status.Holds(version) {
				return false
			}
		}
	}
	return true
}

// check reads the watermark, and then checks that all that it says is stored.
func (p *promises) check() {
	status, err := p.status()
	if err != nil {
		if p.Ctx.Err() == nil {
			p.T.Error(err)
		}
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for uid, version := range p.versions {
		if !status.Holds(version) {
			continue
		}
		kept, err := p.store.Run(p.Ctx, uid)
		stored := archivestatus.Status{Watermark: kept.ResourceVersion}
		if err != nil || !stored.Holds(version) {
			p.T.Errorf("the watermark is %s, and of version %s of run %s is kept %q, %v", status.Watermark, version, uid, kept.ResourceVersion, err)
		}
		if gone := p.gone[uid]; gone != "" && status.Holds(gone) && kept.Deleted.IsZero() {
			p.T.Errorf("the watermark is %s, and that run %s was deleted before %s is not kept", status.Watermark, uid, gone)
		}
	}
}

// watch checks all the time, until the returned function is called.
func (p *promises) watch() (stop func()) {
	ended := make(chan struct{})
	var done sync.WaitGroup
	done.Go(func() {
		for {
			select {
			case <-ended:
				return
			case <-time.After(20 * time.Millisecond):
				p.check()
			}
		}
	})
	stop = sync.OnceFunc(func() {
		close(ended)
		done.Wait()
	})
	p.T.Cleanup(stop)
	return stop
}
