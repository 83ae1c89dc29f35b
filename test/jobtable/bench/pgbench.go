package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"time"

	"github.com/testrun-dev/testrun/test/kit"
)

// script is what the application does: it inserts a row, and shows the newest ones.
const script = `INSERT INTO job (test_id, status) VALUES (1, 'on hold');
SELECT id, status, created FROM job WHERE status = 'on hold' ORDER BY id DESC LIMIT 20;
`

// beside has pgbench use the table without the program and with it, in turns. The program has as many runs as it may have, so that it
// follows these, and looks at the rows that wait.
func (b *bench) beside(ctx context.Context, p *program) error {
	if err := b.suspend(ctx, false); err != nil {
		return err
	}
	if err := b.waitForRuns(ctx); err != nil {
		return err
	}
	file := filepath.Join(b.folder, "pgbench.sql")
	if err := errors.Join(os.WriteFile(file, []byte(script), 0o644), os.Chmod(b.folder, 0o755)); err != nil {
		return err
	}
	var ratios []float64
	for n := range b.pairs {
		rates := map[bool]float64{}
		for _, isWith := range []bool{n%2 == 0, n%2 != 0} { // what comes second must not be better or worse for that
			set := p.pause
			if isWith {
				set = p.resume
			}
			rate, err := 0.0, set()
			if err == nil {
				rate, err = b.pgbench(ctx, file)
			}
			if err != nil {
				return err
			}
			rates[isWith] = rate
		}
		ratios = append(ratios, rates[true]/rates[false])
		fmt.Printf("pgbench, pair %d of %d: %.0f transactions a second without the program, %.0f with it\n", n+1, b.pairs, rates[false], rates[true])
	}
	low, median, high := quartiles(ratios)
	fmt.Printf("pgbench beside the program, %d rows pending and %d runs open: %.3f of its rate without it, median of %d pairs of %d s (half of them %.3f to %.3f)\n",
		b.count, maxRuns, median, b.pairs, 2*b.seconds, low, high)
	return errors.Join(p.resume(), b.exec(ctx, "DELETE FROM job WHERE status = 'on hold'", "VACUUM ANALYZE job"))
}

// waitForRuns waits until there are as many runs as there may be, while there is progress.
func (b *bench) waitForRuns(ctx context.Context) error {
	const patience = time.Minute
	previous, progress := 0, time.Now()
	for {
		runs, err := countRuns(ctx)
		switch {
		case err != nil:
			return err
		case runs >= min(maxRuns, b.count):
			return nil
		case runs > previous:
			previous, progress = runs, time.Now()
		case time.Since(progress) > patience:
			return fmt.Errorf("there are %d runs, and no more for %s: want %d", runs, patience, maxRuns)
		}
		kit.Pause(ctx, 500*time.Millisecond)
	}
}

var tps = regexp.MustCompile(`tps = ([0-9.]+)`)

func (b *bench) pgbench(ctx context.Context, file string) (float64, error) {
	path, err := exec.LookPath("pgbench")
	if err != nil {
		found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/pgbench")
		if len(found) == 0 {
			return 0, errors.New("pgbench is not installed: it comes with PostgreSQL")
		}
		path = found[0]
	}
	output, err := exec.CommandContext(ctx, path, "-n", "-c", "4", "-T", fmt.Sprint(b.seconds), "-f", file, b.url).CombinedOutput()
	found := tps.FindStringSubmatch(string(output))
	if err != nil || found == nil {
		return 0, fmt.Errorf("pgbench: %w\n%s", err, output)
	}
	var rate float64
	_, err = fmt.Sscan(found[1], &rate)
	return rate, err
}
