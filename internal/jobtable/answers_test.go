package jobtable

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/jobtable/rows"
	"github.com/testrun-dev/testrun/test/apiserver"
)

// badAnswers are to a request that makes a run. After none of them is it known whether the run exists.
var badAnswers = []struct {
	name string
	// isDone means that the API server has made the run.
	isDone bool
	// code is what it answers; 0 is nothing at all.
	code   int
	reason metav1.StatusReason
}{
	{name: "the connection breaks before it was asked"},
	{name: "the connection breaks before it answers", isDone: true},
	{name: "it has no time, and has made the run", isDone: true, code: http.StatusGatewayTimeout, reason: metav1.StatusReasonTimeout},
	{name: "it has no time, and has made no run", code: http.StatusGatewayTimeout, reason: metav1.StatusReasonTimeout},
	{name: "it fails, and has made the run", isDone: true, code: http.StatusInternalServerError, reason: metav1.StatusReasonInternalError},
	{name: "it is not ready", code: http.StatusServiceUnavailable, reason: metav1.StatusReasonServiceUnavailable},
	{name: "it asks to come again later", code: http.StatusTooManyRequests, reason: metav1.StatusReasonTooManyRequests},
	{name: "it forbids it", code: http.StatusForbidden, reason: metav1.StatusReasonForbidden},
}

func TestABadAnswerToTheCreationOfARunEndsNoRow(t *testing.T) {
	for _, bad := range badAnswers {
		t.Run(bad.name, func(t *testing.T) {
			w := newWorld(t, onPostgres, seedTable[onPostgres])
			now, created, isBad := time.Now(), 0, true
			c, err := client.New(apiserver.Through(apiserver.Config, func(request *http.Request, next http.RoundTripper) (*http.Response, error) {
				if request.Method != http.MethodPost || apiserver.ResourceOf(request.URL.Path) != "testruns" {
					return next.RoundTrip(request)
				}
				if isBad && !bad.isDone {
					return refuse(request, bad.code, bad.reason)
				}
				response, err := next.RoundTrip(request)
				if err == nil && response.StatusCode == http.StatusCreated {
					created++
				}
				if !isBad || err != nil {
					return response, err
				}
				response.Body.Close()
				return refuse(request, bad.code, bad.reason)
			}), client.Options{Scheme: apiserver.Scheme, Mapper: apiserver.Client.RESTMapper()})
			must(t, err)
			w.r.Client, w.r.Live, w.r.Now = c, c, func() time.Time { return now }
			w.exec(insertRow, 1)
			w.follow(seedJobTable())
			// An error is about the API server as a whole. The next look comes all the same.
			_, _ = w.r.Reconcile(w.Ctx, reconcile.Request{NamespacedName: w.Key(w.table.Name)})
			w.expectRow("1", "pending")
			isBad, now = false, now.Add(firstPause)
			w.look()
			if created != 1 {
				t.Fatalf("%d runs were made, want 1", created)
			}
			w.expectRow("1", "pending")
			w.finish("1", v1alpha1.VerdictPassed, v1alpha1.ReasonTestPassed)
			w.look()
			w.expectEnd("1", v1alpha1.VerdictPassed, v1alpha1.ReasonTestPassed)
		})
	}
}

func refuse(request *http.Request, code int, reason metav1.StatusReason) (*http.Response, error) {
	if code == 0 {
		return nil, errBroken
	}
	response, err := apiserver.Refuse(request, code, reason, "not now")
	response.Header.Del("Retry-After") // the client itself would wait, and ask again
	return response, err
}

func TestARowWhoseRunWasDeletedGetsNoSecondOne(t *testing.T) {
	onSeedTable(t, func(w *world) {
		isReachable := false
		live, err := client.New(apiserver.Through(apiserver.Config, func(request *http.Request, next http.RoundTripper) (*http.Response, error) {
			if !isReachable {
				return nil, errBroken
			}
			return next.RoundTrip(request)
		}), client.Options{Scheme: apiserver.Scheme, Mapper: apiserver.Client.RESTMapper()})
		w.Must(err)
		w.r.Live = live
		w.take(1)
		run := w.runOf("1")
		w.Must(w.Client.Delete(w.Ctx, run))
		w.r.SawDeleted(run)
		// Whether the run is gone is not known while the API server cannot be asked.
		if _, err := w.r.Reconcile(w.Ctx, reconcile.Request{NamespacedName: w.Key(w.table.Name)}); err == nil {
			w.T.Error("nobody is told that the API server cannot be reached")
		}
		w.expectRow("1", "pending")
		isReachable = true
		w.look()
		w.expectEnd("1", v1alpha1.VerdictError, v1alpha1.ReasonRunDeleted, "somebody has deleted it")
		if len(w.runs()) != 0 {
			w.T.Error("the row has another run")
		}
	})
}

// Whatever breaks, COMMIT above all: what the program believes of a row is in the table.
func TestAWriteThatBreaksIsNotTakenForDone(t *testing.T) {
	onSeedTable(t, func(w *world) {
		w.follow(seedJobTable())
		for _, what := range strikes[2:4] {
			w.T.Run(what.name, func(t *testing.T) {
				broken := 0
				for point, isStruck := 1, true; isStruck; point++ {
					w.exec("DELETE FROM job")
					w.exec("INSERT INTO job (id, test_id) VALUES (1, 1)")
					c := &calls{strike: what}
					outcome, err := write(w, c, point)
					if isStruck = c.struck; isStruck && err != nil {
						broken++
					}
					isChanged := w.one("SELECT status FROM job") == "finished"
					switch {
					case err == nil && outcome == rows.Changed && !isChanged:
						t.Errorf("after call %d broke, the row is said to have changed, and has not", point)
					case err != nil && !errors.Is(err, errBroken):
						t.Errorf("after call %d broke, the error is another one: %v", point, err)
					case err != nil && rows.IsOfOneRow(err):
						t.Errorf("after call %d broke, the row is blamed: %v", point, err)
					}
				}
				if broken < 3 {
					t.Errorf("%d calls broke, want BEGIN, SELECT, UPDATE and COMMIT", broken)
				}
			})
		}
	})
}

// write has row 1 say that it has finished. At a call of that, the strike happens.
func write(w *world, c *calls, point int) (rows.Outcome, error) {
	w.T.Helper()
	database, err := rows.Open(w.url, c.wrap)
	must(w.T, err)
	defer database.Close()
	ctx := context.Background()
	table, err := database.Table(ctx, mappingOf(w.table))
	must(w.T, err)
	page, _, _, err := table.Page(ctx, rows.Pending, nil)
	must(w.T, err)
	if len(page) != 1 {
		w.T.Fatalf("there are %d rows, want 1", len(page))
	}
	c.count, c.point = 0, point
	return table.Write(ctx, page[0].Key, rows.Change{State: rows.Finished, Data: "{}"})
}
