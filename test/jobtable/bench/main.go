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
	"path/filepath"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/test/apiserver"
	"github.com/testrun-dev/testrun/test/postgres"
)

const namespace = "bench"

func main() {
	b := &bench{}
	flag.IntVar(&b.count, "rows", 100_000, "How many rows are pending.")
	flag.IntVar(&b.pairs, "pairs", 30, "How many times pgbench runs without the program and with it.")
	flag.IntVar(&b.seconds, "seconds", 5, "How long pgbench runs, each time.")
	flag.Parse()
	if code := apiserver.Run(b); code != 0 || b.err != nil {
		fmt.Fprintln(os.Stderr, b.err)
		os.Exit(1)
	}
}

// bench is a table and the program that follows it.
type bench struct {
	count, pairs, seconds int
	err                   error

	db     *sql.DB
	server *postgres.Server
	folder string
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
	folder, err := os.MkdirTemp("", "jobtable")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	b.folder = folder
	for _, step := range []func(context.Context) error{b.prepare, b.looks, b.follow, b.explain} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// follow has the program itself follow the table: first beside pgbench, and then until all rows have ended.
func (b *bench) follow(ctx context.Context) error {
	p, err := b.start(ctx)
	if err != nil {
		return err
	}
	return errors.Join(b.beside(ctx, p), b.drain(ctx, p), p.stop())
}

func (b *bench) exec(ctx context.Context, statements ...string) error {
	for _, statement := range statements {
		if _, err := b.db.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
	}
	return nil
}

// one reads a number.
func (b *bench) one(ctx context.Context, query string) (n int, err error) {
	if err := b.db.QueryRowContext(ctx, query).Scan(&n); err != nil {
		return 0, fmt.Errorf("%s: %w", query, err)
	}
	return n, nil
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
	err = b.exec(ctx,
		"CREATE TABLE job (id serial PRIMARY KEY, test_id integer, type varchar DEFAULT 'unit', status varchar DEFAULT 'pending', created timestamp DEFAULT now(), data varchar)",
		"CREATE INDEX job_status ON job (status, id)")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(b.folder, "shop"), []byte(b.url), 0o600); err != nil {
		return err
	}
	if err := apiserver.Client.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}); err != nil {
		return err
	}
	b.table = &v1alpha1.JobTable{
		ObjectMeta: metav1.ObjectMeta{Name: "bench", Namespace: namespace},
		Spec: v1alpha1.JobTableSpec{
			Database: "shop", Table: "job", Suspend: ptr.To(true),
			Columns: v1alpha1.JobTableColumns{ID: "id", Status: "status", Created: "created", Data: "data"},
			Run: v1alpha1.JobTableRun{
				TestRef: v1alpha1.RowTestReference{Name: "$(type)"}, Params: []v1alpha1.ColumnParam{{Name: "TEST_ID", Column: "test_id"}},
			},
		},
	}
	return apiserver.Client.Create(ctx, b.table)
}

// suspend has no row become a run, or ends that.
func (b *bench) suspend(ctx context.Context, on bool) error {
	changed := b.table.DeepCopy()
	changed.Spec.Suspend = ptr.To(on)
	err := apiserver.Client.Patch(ctx, changed, client.MergeFrom(b.table))
	b.table = changed
	return err
}

// quartiles are the value a quarter of all are below, the median, and the value a quarter are above.
func quartiles(values []float64) (low, median, high float64) {
	values = slices.Sorted(slices.Values(values))
	at := func(share float64) float64 { return values[int(share*float64(len(values)-1)+0.5)] }
	return at(0.25), at(0.5), at(0.75)
}
