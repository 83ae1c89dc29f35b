// The program bench measures a job table with very many rows: what the program that follows it costs, and what it costs those who use the
// table beside it. Use it through `make bench-jobtable`.
package main

import (
	"context"
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/jobtable"
	"github.com/testrun-dev/testrun/test/apiserver"
	"github.com/testrun-dev/testrun/test/postgres"
)

func main() {
	count := flag.Int("rows", 100_000, "How many rows are pending.")
	seconds := flag.Int("seconds", 20, "How long pgbench runs, each time.")
	flag.Parse()
	b := &bench{count: *count, seconds: *seconds}
	if code := apiserver.Run(b); code != 0 || b.err != nil {
		fmt.Fprintln(os.Stderr, b.err)
		os.Exit(1)
	}
}

// bench is a table and the program that follows it.
type bench struct {
	count, seconds int
	err            error

	db     *sql.DB
	server *postgres.Server
	r      *jobtable.Reconciler
	table  *v1alpha1.JobTable
	url    string
}

// Run measures, beside the API server.
func (b *bench) Run() int {
	ctx := context.Background()
	b.err = b.measure(ctx)
	if b.server != nil {
		b.err = errors.Join(b.err, b.server.Stop())
	}
	return 0
}

func (b *bench) measure(ctx context.Context) error {
	if err := b.prepare(ctx); err != nil {
		return err
	}
	for _, step := range []func(context.Context) error{b.looks, b.beside, b.drain, b.explain} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) exec(ctx context.Context, statements ...string) error {
	for _, statement := range statements {
		if _, err := b.db.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
	}
	return nil
}

func (b *bench) prepare(ctx context.Context) error {
	var err error
	// Not the settings of the tests: what is measured is durable.
	if b.server, err = postgres.Start(ctx, "fsync=on", "shared_buffers=256MB"); err != nil {
		return err
	}
	if b.url, err = b.server.NewDatabase(ctx); err != nil {
		return err
	}
	if b.db, err = sql.Open("pgx", b.url); err != nil {
		return err
	}
	if err := b.exec(ctx,
		"CREATE TABLE job (id serial PRIMARY KEY, test_id integer, status varchar DEFAULT 'pending', created timestamp DEFAULT now(), data varchar)",
		"CREATE INDEX job_status ON job (status, id)"); err != nil {
		return err
	}
	folder, err := os.MkdirTemp("", "jobtable")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(folder, "shop"), []byte(b.url), 0o600); err != nil {
		return err
	}
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "bench"}}
	if err := apiserver.Client.Create(ctx, namespace); err != nil {
		return err
	}
	b.table = &v1alpha1.JobTable{
		ObjectMeta: metav1.ObjectMeta{Name: "bench", Namespace: namespace.Name},
		Spec: v1alpha1.JobTableSpec{
			Database: "shop", Table: "job", Suspend: ptr.To(true),
			Columns: v1alpha1.JobTableColumns{ID: "id", Status: "status", Created: "created", Data: "data"},
			Run: v1alpha1.JobTableRun{
				TestRef: v1alpha1.RowTestReference{Name: "perl-suite"}, Params: []v1alpha1.ColumnParam{{Name: "TEST_ID", Column: "test_id"}},
			},
		},
	}
	if err := apiserver.Client.Create(ctx, b.table); err != nil {
		return err
	}
	b.r = &jobtable.Reconciler{
		Client: apiserver.Client, Live: apiserver.Client, Recorder: events.NewFakeRecorder(1000), Folder: folder, Now: time.Now,
	}
	return nil
}

// look has the program look once, and returns how long that took.
func (b *bench) look(ctx context.Context) (time.Duration, error) {
	began := time.Now()
	_, err := b.r.Reconcile(ctx, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(b.table)})
	return time.Since(began), err
}

// looks compares looks at a table with few and with many finished rows.
func (b *bench) looks(ctx context.Context) error {
	for _, finished := range []int{100, b.count} {
		if err := b.exec(ctx, fmt.Sprintf("INSERT INTO job (test_id, status, data) SELECT n, 'finished', repeat('x', 200) FROM generate_series(1, %d) n", finished),
			"VACUUM ANALYZE job"); err != nil {
			return err
		}
		if _, err := b.look(ctx); err != nil {
			return err
		}
		var times []time.Duration
		for range 21 {
			took, err := b.look(ctx)
			if err != nil {
				return err
			}
			times = append(times, took)
		}
		fmt.Printf("a look with %d finished rows and none pending: %s (median of 21)\n", finished, median(times))
	}
	if err := b.exec(ctx, fmt.Sprintf("INSERT INTO job (test_id) SELECT n FROM generate_series(1, %d) n", b.count), "VACUUM ANALYZE job"); err != nil {
		return err
	}
	var times []time.Duration
	for range 11 {
		took, err := b.look(ctx)
		if err != nil {
			return err
		}
		times = append(times, took)
	}
	fmt.Printf("a look with %d finished and %d pending rows, none of which is taken: %s (median of 11)\n", b.count, b.count, median(times))
	return nil
}

func median(times []time.Duration) time.Duration {
	for i := range times {
		for j := i; j > 0 && times[j] < times[j-1]; j-- {
			times[j], times[j-1] = times[j-1], times[j]
		}
	}
	return times[len(times)/2].Round(10 * time.Microsecond)
}

// script is what the application does: it inserts a row, and shows the newest ones.
const script = `INSERT INTO job (test_id, status) VALUES (1, 'on hold');
SELECT id, status, created FROM job WHERE status = 'on hold' ORDER BY id DESC LIMIT 20;
`

// beside has pgbench use the table, without the program and with it, in turns.
func (b *bench) beside(ctx context.Context) error {
	file, err := os.CreateTemp("", "pgbench*.sql")
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())
	if _, err := file.WriteString(script); err != nil {
		return err
	}
	if err := errors.Join(file.Chmod(0o644), file.Close()); err != nil {
		return err
	}
	var without, with []float64
	for range 3 {
		alone, err := b.pgbench(ctx, file.Name())
		if err != nil {
			return err
		}
		polling, stop := context.WithCancel(ctx)
		done := make(chan struct{})
		go func() {
			defer close(done)
			for polling.Err() == nil {
				_, _ = b.look(polling)
				select {
				case <-polling.Done():
				case <-time.After(5 * time.Second):
				}
			}
		}()
		both, err := b.pgbench(ctx, file.Name())
		stop()
		<-done
		if err != nil {
			return err
		}
		without, with = append(without, alone), append(with, both)
		fmt.Printf("pgbench: %.0f transactions a second alone, %.0f beside the program that polls %d pending rows: ratio %.3f\n", alone, both, b.count, both/alone)
	}
	fmt.Printf("pgbench, best of 3 each: ratio %.3f\n", best(with)/best(without))
	return nil
}

func best(values []float64) float64 {
	most := 0.0
	for _, value := range values {
		most = max(most, value)
	}
	return most
}

var tps = regexp.MustCompile(`tps = ([0-9.]+)`)

func (b *bench) pgbench(ctx context.Context, file string) (float64, error) {
	program, err := exec.LookPath("pgbench")
	if err != nil {
		found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/pgbench")
		if len(found) == 0 {
			return 0, errors.New("pgbench is not installed: it comes with PostgreSQL")
		}
		program = found[0]
	}
	output, err := exec.CommandContext(ctx, program, "-n", "-c", "8", "-T", fmt.Sprint(b.seconds), "-f", file, b.url).CombinedOutput()
	found := tps.FindStringSubmatch(string(output))
	if err != nil || found == nil {
		return 0, fmt.Errorf("pgbench: %w\n%s", err, output)
	}
	var rate float64
	_, err = fmt.Sscan(found[1], &rate)
	return rate, err
}

// drain has the program take rows and end them, with a bad one in front of each hundred, and counts the processor's time.
func (b *bench) drain(ctx context.Context) error {
	const rounds = 3
	if err := b.exec(ctx, "DELETE FROM job WHERE status = 'on hold'", "VACUUM ANALYZE job"); err != nil {
		return err
	}
	changed := b.table.DeepCopy()
	changed.Spec.Suspend, changed.Spec.MaxRuns = nil, 1000
	if err := apiserver.Client.Patch(ctx, changed, client.MergeFrom(b.table)); err != nil {
		return err
	}
	b.table = changed
	before, began, taken := processorTime(), time.Now(), 0
	var looking time.Duration
	for range rounds {
		took, err := b.look(ctx)
		if err != nil {
			return err
		}
		looking += took
		runs := &v1alpha1.TestRunList{}
		if err := apiserver.Client.List(ctx, runs, client.InNamespace("bench"), client.MatchingLabels{v1alpha1.LabelOpenRow: "true"}); err != nil {
			return err
		}
		others := processorTime()
		for i := range runs.Items {
			if runs.Items[i].Status.Phase == v1alpha1.PhaseFinished {
				continue
			}
			taken++
			if err := b.finish(ctx, &runs.Items[i]); err != nil {
				return err
			}
		}
		before += processorTime() - others // not the program's own
		if took, err = b.look(ctx); err != nil {
			return err
		}
		looking += took
	}
	var left, finished int
	if err := b.db.QueryRowContext(ctx, "SELECT count(*) FILTER (WHERE status = 'pending'), count(*) FILTER (WHERE data LIKE '{%') FROM job").Scan(&left, &finished); err != nil {
		return err
	}
	fmt.Printf("%d rows became runs and ended, of %d: %s of looks, %.2f ms of the program's processor time for each row (in %s)\n", finished, b.count,
		looking.Round(time.Millisecond), (processorTime()-before).Seconds()*1000/float64(finished), time.Since(began).Round(time.Second))
	return nil
}

func (b *bench) finish(ctx context.Context, run *v1alpha1.TestRun) error {
	changed := run.DeepCopy()
	changed.Status.Phase, changed.Status.Verdict = v1alpha1.PhaseFinished, v1alpha1.VerdictPassed
	changed.Status.FinishTime = ptr.To(metav1.NewTime(time.Now().Add(-time.Hour)))
	return apiserver.Client.Status().Patch(ctx, changed, client.MergeFrom(run))
}

// processorTime is what this process has used.
func processorTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// explain shows how PostgreSQL finds the rows, with the index and without it.
func (b *bench) explain(ctx context.Context) error {
	const query = `EXPLAIN (ANALYZE, BUFFERS, COSTS OFF, TIMING OFF) SELECT "id"::text FROM "public"."job" AS job_row ` +
		`WHERE "status" = CAST('pending' AS character varying) AND "id" IS NOT NULL ORDER BY job_row."id" LIMIT 200`
	for _, statement := range []string{"", "DROP INDEX job_status"} {
		if statement != "" {
			if err := b.exec(ctx, statement); err != nil {
				return err
			}
		}
		rows, err := b.db.QueryContext(ctx, query)
		if err != nil {
			return err
		}
		var lines []string
		for rows.Next() {
			var line string
			if err := rows.Scan(&line); err != nil {
				return err
			}
			lines = append(lines, line)
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			return err
		}
		fmt.Printf("%s\n%s\n\n", statement, strings.Join(lines, "\n"))
	}
	return nil
}
