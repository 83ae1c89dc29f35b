package controller

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/controllers"
	"github.com/testrun-dev/testrun/internal/archivestatus"
	"github.com/testrun-dev/testrun/test/builders"
)

const (
	archiveURL = "https://testrun-archive.testrun-system.svc:9443"

	waitingForArchive = "testrun_retention_waiting_for_archive"
	unarchived        = "testrun_runs_deleted_unarchived_total"
	statusKnown       = "testrun_archive_status_known"

	// beyondAll is a watermark that no resourceVersion of a test reaches, and beforeAll is one that every one exceeds.
	beyondAll, beforeAll = "1000000000000", "1"
)

var pins = []string{strings.Repeat("a", 64), strings.Repeat("b", 64)}

// withArchive has the operators that start from now on wait for an archive, which says what publish writes.
func (w *world) withArchive(patience time.Duration) {
	w.adjust = func(options *controllers.Options) {
		options.Archive = controllers.Archive{URL: archiveURL, Namespace: w.Namespace, Patience: patience}
	}
}

// publish does what the server would: it says what it has stored.
func (w *world) publish(status archivestatus.Status) {
	w.T.Helper()
	w.write(status.Data())
}

// stored publishes the watermark alone.
func (w *world) stored(watermark string) {
	w.T.Helper()
	w.publish(archivestatus.Status{Watermark: watermark, Pins: pins[:1]})
}

func (w *world) write(data map[string]string) {
	w.T.Helper()
	status := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: w.Namespace, Name: archivestatus.ConfigMap}, Data: data}
	err := w.Client.Create(w.Ctx, status)
	if apierrors.IsAlreadyExists(err) {
		err = w.Client.Update(w.Ctx, status)
	}
	w.Must(err)
}

// waitForMetric waits until a metric has that value.
func (w *world) waitForMetric(name, label string, want float64) {
	w.T.Helper()
	w.WaitFor(name+" "+label+" is as it should be", func() bool { return w.metric(name, label) == want })
}

func (w *world) waitForRuns(names ...string) {
	w.T.Helper()
	w.WaitFor("there are only "+strings.Join(names, ", "), func() bool { return slices.Equal(w.runs(), names) })
}

func (w *world) expectRuns(names ...string) {
	w.T.Helper()
	if have := w.runs(); !slices.Equal(have, names) {
		w.T.Errorf("there are %q, want %q", have, names)
	}
}

func TestARunThatIsDueIsDeletedOnceTheArchiveHasIt(t *testing.T) {
	w := newWorld(t)
	w.suite(keep(0, 0))
	w.store(ofSuite("by-number-1"), v1alpha1.VerdictPassed, time.Hour)
	w.store(builders.TestRun("by-age").TTL(0), v1alpha1.VerdictPassed, time.Hour)
	w.store(ofSuite("by-number-2"), v1alpha1.VerdictFailed, time.Hour)
	w.withArchive(24 * time.Hour)
	w.stored(beforeAll)
	w.startController()
	w.waitForMetric(waitingForArchive, "", 2) // a run, and a Test
	w.expectRuns("by-age", "by-number-1", "by-number-2")

	w.stored(w.Run("by-number-1").ResourceVersion)
	w.waitForRuns("by-age", "by-number-2")
	w.waitForMetric(waitingForArchive, "", 2)
	w.stored(w.Run("by-age").ResourceVersion)
	w.waitForRuns("by-number-2")
	w.stored(w.Run("by-number-2").ResourceVersion)
	w.waitForRuns()
	w.waitForMetric(waitingForArchive, "", 0)
	if n := w.metric(unarchived, ""); n != 0 {
		t.Errorf("%v runs are counted as not archived", n)
	}
}

func TestARunWhoseTestEndsWaitsForTheArchiveEvenIfItIsKeptForNoTime(t *testing.T) {
	w := newWorld(t)
	w.withArchive(24 * time.Hour)
	w.stored(beforeAll)
	w.startController()
	w.Create(withAccount(builders.TestRun("run")).TTL(0).Build())
	w.Pass("run")
	w.waitForMetric(waitingForArchive, "", 1)
	w.expectRuns("run")
	w.stored(w.Run("run").ResourceVersion)
	w.waitForRuns()
}

func TestAChangeAfterTheEndIsWaitedForToo(t *testing.T) {
	w := newWorld(t)
	w.store(pinned(builders.TestRun("run")).TTL(0), v1alpha1.VerdictPassed, time.Hour)
	w.withArchive(24 * time.Hour)
	w.stored(w.Run("run").ResourceVersion)
	w.startController()
	w.annotate("run", "false")
	w.waitForMetric(waitingForArchive, "", 1)
	w.expectRuns("run")
	w.stored(w.Run("run").ResourceVersion)
	w.waitForRuns()
}

func TestAWatermarkThatGoesBackIsBelieved(t *testing.T) {
	w := newWorld(t)
	w.store(builders.TestRun("first").TTL(0), v1alpha1.VerdictPassed, time.Hour)
	w.store(pinned(builders.TestRun("second")).TTL(0), v1alpha1.VerdictPassed, time.Hour)
	w.withArchive(24 * time.Hour)
	w.stored(beyondAll)
	w.startController()
	w.waitForRuns("second")
	w.publish(archivestatus.Status{Watermark: beforeAll})
	w.waitForMetric(statusKnown, archivestatus.KeyPins, 0) // so it has been read
	w.annotate("second", "false")
	w.waitForMetric(waitingForArchive, "", 1)
	w.expectRuns("second")
	w.stored(beyondAll)
	w.waitForRuns()
}

func TestNothingWaitsLongerThanItIsToldToWhenTheArchiveSaysNothing(t *testing.T) {
	for name, says := range map[string]map[string]string{
		"there is no ConfigMap": nil,
		"it is empty":           {},
		"it is garbled":         {archivestatus.KeyWatermark: "soon", archivestatus.KeyPins: "\x00"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.suite(keep(0, 0))
			w.store(builders.TestRun("by-age-old").TTL(0), v1alpha1.VerdictPassed, 2*time.Hour)
			w.store(builders.TestRun("by-age-young").TTL(0), v1alpha1.VerdictPassed, time.Minute)
			w.store(ofSuite("by-number-old"), v1alpha1.VerdictPassed, 2*time.Hour)
			w.store(ofSuite("by-number-young"), v1alpha1.VerdictPassed, time.Minute)
			w.withArchive(time.Hour)
			log := w.keepLog()
			if says != nil {
				w.write(says)
			}
			w.startController()
			w.waitForRuns("by-age-young", "by-number-young")
			w.waitForMetric(unarchived, "", 2)
			w.waitForMetric(waitingForArchive, "", 2)
			w.waitForMetric(statusKnown, archivestatus.KeyWatermark, 0)
			if says != nil {
				again := maps.Clone(says)
				again["another"] = "key"
				w.write(again)
			}
			w.stored(beyondAll)
			w.waitForRuns()
			w.waitForMetric(statusKnown, archivestatus.KeyWatermark, 1)
			if n := w.metric(unarchived, ""); n != 2 {
				t.Errorf("%v runs are counted as not archived, want 2", n)
			}
			if said := log.count("The archive does not say what it has stored"); said != 1 {
				t.Errorf("it is said %d times", said)
			}
		})
	}
}

func TestARunThatWaitsForTheArchiveIsDeletedWhenItHasWaitedLongEnough(t *testing.T) {
	w := newWorld(t)
	w.suite(keep(0, 0))
	w.withArchive(3 * time.Second)
	w.stored(beforeAll)
	w.startController()
	w.Create(builders.TestRun("by-age").Cancelled().TTL(0).Build())
	w.Create(ofSuite("by-number").Cancelled().Build())
	w.waitForMetric(unarchived, "", 2)
	w.waitForRuns()
	w.waitForMetric(waitingForArchive, "", 0)
}

func TestWithNoPatienceNothingWaitsAndWhatIsNotArchivedIsCounted(t *testing.T) {
	w := newWorld(t)
	w.withArchive(0)
	w.store(builders.TestRun("stored-1").TTL(0), v1alpha1.VerdictPassed, time.Minute)
	w.store(builders.TestRun("stored-2").TTL(0), v1alpha1.VerdictPassed, time.Minute)
	w.stored(w.Run("stored-2").ResourceVersion)
	w.startController()
	w.Create(builders.TestRun("not-stored").Cancelled().TTL(0).Build())
	w.waitForRuns()
	w.waitForMetric("testrun_runs_deleted_total", "ttl", 3)
	if n := w.metric(unarchived, ""); n != 1 {
		t.Errorf("%v runs are counted as not archived, want 1", n)
	}
}

// looking is a client that counts how often it is asked for a run.
type looking struct {
	client.Client
	looks *atomic.Int64
}

func (c looking) Get(ctx context.Context, key client.ObjectKey, obj client.Object, opts ...client.GetOption) error {
	if _, ok := obj.(*v1alpha1.TestRun); ok {
		c.looks.Add(1)
	}
	return c.Client.Get(ctx, key, obj, opts...)
}

func TestAWatermarkThatMovesCostsNothingForThoseThatWaitOn(t *testing.T) {
	const waiting, moves = 50, 20
	w := newWorld(t)
	for i := range waiting {
		w.store(builders.TestRun(fmt.Sprintf("run-%02d", i)).TTL(0), v1alpha1.VerdictPassed, time.Hour)
	}
	w.withArchive(24 * time.Hour)
	w.stored(beforeAll)
	var looks atomic.Int64
	w.wrapClient(func(c client.Client) client.Client { return looking{c, &looks} })
	w.startController()
	w.waitForMetric(waitingForArchive, "", waiting)
	before := looks.Load()
	for i := range moves {
		w.stored(strconv.Itoa(i + 2))
	}
	w.publish(archivestatus.Status{Watermark: strconv.Itoa(moves + 2)})
	w.waitForMetric(statusKnown, archivestatus.KeyPins, 0) // so all has been read
	w.stored(w.Run("run-00").ResourceVersion)
	w.WaitFor("the first is gone", func() bool { return w.isGone("run-00") })
	w.waitForMetric(waitingForArchive, "", waiting-1)
	if more := looks.Load() - before; more > 3 {
		t.Errorf("runs were looked at %d times, of which one was to be deleted", more)
	}
}

func TestAUsersOwnDeletionWaitsForNothing(t *testing.T) {
	w := newWorld(t)
	w.store(builders.TestRun("run").TTL(0), v1alpha1.VerdictPassed, time.Minute)
	w.withArchive(24 * time.Hour)
	w.startController()
	w.waitForMetric(waitingForArchive, "", 1)
	run := w.Run("run")
	if len(run.Finalizers) > 0 {
		t.Errorf("it has the finalizers %q", run.Finalizers)
	}
	w.Must(w.Client.Delete(w.Ctx, run))
	if !w.isGone("run") {
		t.Error("it is still there")
	}
	w.waitForMetric(waitingForArchive, "", 0)
}
