package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/testrun-dev/testrun/internal/jobtable"
	"github.com/testrun-dev/testrun/test/apiserver"
)

// looks compares looks at a table with few and with many finished rows, and with many pending ones.
func (b *bench) looks(ctx context.Context) error {
	r := &jobtable.Reconciler{
		Client: apiserver.Client, Live: apiserver.Client, Recorder: events.NewFakeRecorder(1000), Folder: b.folder, Now: time.Now,
		Metrics: jobtable.NewMetrics(prometheus.NewRegistry()),
	}
	defer r.Close()
	const insert = "INSERT INTO job (test_id, status, data) SELECT n, %s, repeat('x', %d) FROM generate_series(1, %d) n"
	for _, rows := range []struct{ statement, name string }{
		{fmt.Sprintf(insert, "'finished'", 200, 100), "100 finished rows, none pending"},
		{fmt.Sprintf(insert, "'finished'", 200, b.count-100), fmt.Sprintf("%d finished rows, none pending", b.count)},
		{fmt.Sprintf(insert, "'pending'", 0, b.count), fmt.Sprintf("%d finished and %d pending rows, none of which is taken", b.count, b.count)},
	} {
		if err := b.exec(ctx, rows.statement, "VACUUM ANALYZE job"); err != nil {
			return err
		}
		var times []float64
		for n := range 42 {
			began := time.Now()
			if _, err := r.Reconcile(ctx, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(b.table)}); err != nil {
				return err
			}
			if n > 0 { // the first one opens the connections
				times = append(times, time.Since(began).Seconds()*1000)
			}
		}
		low, median, high := quartiles(times)
		fmt.Printf("a look, %s: %.1f ms, median of %d (half of them %.1f to %.1f)\n", rows.name, median, len(times), low, high)
	}
	return nil
}

// explain shows how PostgreSQL finds the rows, with the index and without it.
func (b *bench) explain(ctx context.Context) error {
	if err := b.exec(ctx, fmt.Sprintf("INSERT INTO job (test_id) SELECT n FROM generate_series(1, %d) n", b.count), "VACUUM ANALYZE job"); err != nil {
		return err
	}
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
