package jobtable

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"
	"time"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/test/postgres"
)

// behindPgBouncer is a world whose program reaches its database through a PgBouncer, which gives each transaction one of so few connections
// that it shares them with the application: application is through the same.
func behindPgBouncer(t *testing.T, connections int, statements ...string) (w *world, application *sql.DB) {
	t.Helper()
	w = newWorld(t, onPostgres, statements...)
	server, err := postgresServer()
	must(t, err)
	pooler, err := postgres.StartPooler(t.Context(), server, w.url, connections, "shop:secret")
	must(t, err)
	t.Cleanup(func() { must(t, pooler.Stop()) })
	w.url = pooler.Through(w.url)
	w.put("shop", w.url)
	application, err = sql.Open("pgx", w.url+"&default_query_exec_mode=exec")
	must(t, err)
	t.Cleanup(func() { application.Close() })
	return w, application
}

func TestBehindPgBouncerARowBecomesARunAndEnds(t *testing.T) {
	for _, connections := range []int{1, 3} {
		t.Run(fmt.Sprintf("%d connections", connections), func(t *testing.T) {
			w, application := behindPgBouncer(t, connections, seedTable[onPostgres])
			w.follow(seedJobTable())
			for n := range 20 {
				w.exec(insertRow, n)
			}
			w.exec("UPDATE job SET status = 'cancelled' WHERE id = 20")
			w.look()
			w.expectReady(v1alpha1.ReasonWorking)
			for n := 1; n < 20; n++ {
				w.start(fmt.Sprint(n))
			}
			w.look()
			w.expectRow("19", "in_progress")
			for n := 1; n < 20; n++ {
				w.finish(fmt.Sprint(n), v1alpha1.VerdictPassed, v1alpha1.ReasonTestPassed)
			}
			w.look()
			for n := 1; n < 20; n++ {
				w.expectEnd(fmt.Sprint(n), v1alpha1.VerdictPassed, v1alpha1.ReasonTestPassed)
			}
			w.expectEnd("20", v1alpha1.VerdictCancelled, v1alpha1.ReasonCancelled)
			// What the application does next on these connections is as if we had not been there.
			for query, want := range map[string]string{
				"SHOW lock_timeout": "0", "SHOW statement_timeout": "0", "SHOW transaction_read_only": "off",
				"SELECT count(*) FROM pg_prepared_statements": "0", "SELECT count(*) FROM pg_listening_channels()": "0",
			} {
				var got string
				must(t, application.QueryRowContext(t.Context(), query).Scan(&got))
				if got != want {
					t.Errorf("%s is %s, want %s", query, got, want)
				}
			}
		})
	}
}

// LISTEN belongs to a connection, and a pooler gives that to the next one who asks.
func TestBehindPgBouncerTheTableIsPolled(t *testing.T) {
	w, application := behindPgBouncer(t, 1, seedTable[onPostgres])
	table := seedJobTable()
	table.Spec.PollInterval = &v1alpha1.PositiveDuration{Duration: time.Second}
	w.follow(table)
	defer w.startProgram()()
	w.WaitFor("the table is ready, and says why nobody listens", func() bool {
		said := fmt.Sprint(w.status().Conditions)
		return strings.Contains(said, v1alpha1.ReasonWorking) && strings.Contains(said, "PgBouncer")
	})
	w.exec(insertRow, 1)
	w.WaitFor("the row has a run", func() bool { return len(w.runs()) == 1 })
	w.finish("1", v1alpha1.VerdictPassed, v1alpha1.ReasonTestPassed)
	w.WaitFor("the row has ended", func() bool { return w.one("SELECT status FROM job") == "finished" })
	var listening int
	must(t, application.QueryRowContext(t.Context(), "SELECT count(*) FROM pg_listening_channels()").Scan(&listening))
	if listening != 0 {
		t.Error("a connection that the application shares listens")
	}
}

func TestBehindPgBouncerAMistakeIsASentence(t *testing.T) {
	w, _ := behindPgBouncer(t, 1, seedTable[onPostgres])
	w.follow(seedJobTable())
	url := w.url
	for _, m := range []struct{ name, url, reason, quote string }{
		{"a wrong password", strings.Replace(url, "secret", "s3cr3t", 1), v1alpha1.ReasonLoginRefused, "Correct the URL"},
		{"no such user", strings.Replace(url, "shop:", "store:", 1), v1alpha1.ReasonLoginRefused, "Correct the URL"},
		{"no such database", strings.Replace(url, "/test", "/none", 1), v1alpha1.ReasonLoginRefused, "Correct the URL"},
		{"an option that PgBouncer does not know", url + "&statement_timeout=1000", v1alpha1.ReasonLoginRefused, "statement_timeout"},
	} {
		t.Run(m.name, func(t *testing.T) {
			w.put("shop", m.url)
			w.look()
			expectCondition(t, w.status(), v1alpha1.ConditionReady, m.reason, m.quote)
			w.expectSentence()
		})
	}
	w.put("shop", url)
	w.look()
	w.expectReady(v1alpha1.ReasonWorking)
}
