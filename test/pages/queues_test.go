package pages

import (
	"net/http"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/archive"
	"github.com/testrun-dev/testrun/test/apiserver"
)

// waiting keeps a run that waits in a queue.
func (w *world) waiting(namespace, name, queue, message string) {
	w.Helper()
	run := archive.Run{
		UID: "uid-of-" + name, Namespace: namespace, Name: name, Series: name, Queue: queue, Phase: "Pending", Reason: "Queued", Message: message,
		Created: time.Now().Add(-time.Minute), ResourceVersion: "1",
	}
	if err := w.site.Keep(w.Context(), archive.RunState{Run: run, Object: ObjectOf(run)}); err != nil {
		w.Fatal(err)
	}
}

func newQueue(t *testing.T, name string) *v1alpha1.TestQueue {
	t.Helper()
	queue := &v1alpha1.TestQueue{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.TestQueueSpec{MaxRunning: 3}}
	if err := apiserver.Client.Create(t.Context(), queue); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = apiserver.Client.Delete(t.Context(), queue) })
	return queue
}

func TestEachUserSeesTheQueuesThatTheyMayAndWhoWaitsInThem(t *testing.T) {
	w := newWorld(t)
	newQueue(t, "empty")
	w.waiting("shop", "checkout-1", "slow", "Waits in queue slow: 3 of 3 runs run (maxRunning)")
	w.waiting("payments", "ledger-1", "secret", "<script>alert(1)</script>")
	for user, c := range map[string]struct{ has, hasNot []string }{
		Ada:   {[]string{"/queues/empty", "/queues/slow", "/queues/secret", "3 of 3 runs run (maxRunning)", "&lt;script&gt;"}, []string{"You may not list TestQueues", "<script>alert"}},
		Grace: {[]string{"You may not list TestQueues", "/queues/slow", "3 of 3 runs run (maxRunning)"}, []string{"/queues/empty", "secret", "ledger-1"}},
		Eve:   {[]string{"You may not list TestQueues", "No run that you may see waits"}, []string{"/queues/empty", "slow", "secret"}},
	} {
		text := w.logIn(user).get("/queues").text
		for _, want := range c.has {
			if !strings.Contains(text, want) {
				t.Errorf("%s does not see %q", user, want)
			}
		}
		for _, none := range c.hasNot {
			if strings.Contains(text, none) {
				t.Errorf("%s sees %q", user, none)
			}
		}
	}
}

func TestAQueueIsForThoseWhoMaySeeIt(t *testing.T) {
	w := newWorld(t)
	newQueue(t, "some")
	w.waiting("shop", "checkout-1", "some", "")
	w.waiting("payments", "ledger-1", "some", "")
	ada, grace, eve := w.logIn(Ada).get("/queues/some"), w.logIn(Grace).get("/queues/some"), w.logIn(Eve).get("/queues/some")
	if ada.status != http.StatusOK || !strings.Contains(ada.text, "3 at once") || !strings.Contains(ada.text, "ledger-1") || !ada.offers("Pause<span class=\"sr\"> some</span>") {
		t.Errorf("ada sees %s", ada.text)
	}
	if grace.status != http.StatusOK || strings.Contains(grace.text, "3 at once") || !strings.Contains(grace.text, "checkout-1") || strings.Contains(grace.text, "ledger-1") {
		t.Errorf("grace sees %s", grace.text)
	}
	if eve.status != http.StatusNotFound || grace.offers("Pause.*") {
		t.Errorf("eve sees %d, grace may pause: %v", eve.status, grace.offers("Pause.*"))
	}
}

func TestAQueueIsPausedAndResumedByThoseWhoMay(t *testing.T) {
	w := newWorld(t)
	queue := newQueue(t, "busy")
	suspended := func() bool {
		found := &v1alpha1.TestQueue{}
		if err := apiserver.Client.Get(t.Context(), clientKey(queue.Name), found); err != nil {
			t.Fatal(err)
		}
		return found.Spec.Suspend != nil && *found.Spec.Suspend
	}
	ada, grace := w.logIn(Ada), w.logIn(Grace)
	for range 2 { // pausing what is paused changes nothing
		if got := ada.post("/queues/busy/pause"); !strings.Contains(got.said(), "Queue busy is paused") || !suspended() {
			t.Errorf("it says %q, and the queue is suspended: %v", got.said(), suspended())
		}
	}
	if got := ada.get("/queues/busy"); !got.offers("Resume<span class=\"sr\"> busy</span>") || !strings.Contains(got.text, "No run of this queue starts") {
		t.Errorf("it shows %s", got.text)
	}
	if got := grace.post("/queues/busy/resume"); !strings.Contains(got.text, refused) && got.status != http.StatusNotFound || !suspended() {
		t.Errorf("grace is told %q %d, and the queue is suspended: %v", got.said(), got.status, suspended())
	}
	if got := ada.post("/queues/busy/resume"); !strings.Contains(got.said(), "Queue busy goes on") || suspended() {
		t.Errorf("it says %q, and the queue is suspended: %v", got.said(), suspended())
	}
	if got := ada.post("/queues/busy/delete"); got.status != http.StatusNotFound {
		t.Errorf("an action that there is not is answered with %d", got.status)
	}
	entries, _, err := w.site.Store.AuditLog(t.Context(), "", 0, 10)
	if err != nil || len(entries) != 4 || entries[0].Action != "resume" || entries[0].Name != "busy" || !strings.HasPrefix(entries[1].Result, "refused: ") {
		t.Errorf("the audit has %+v, %v", entries, err)
	}
}

func TestRunsAreFilteredByTheBeginningOfTheirNamesAndByStates(t *testing.T) {
	w := newWorld(t)
	for _, run := range []archive.Run{
		{Name: "checkout-1", Phase: "Finished", Verdict: "Passed"},
		{Name: "checkout-2", Phase: "Finished", Verdict: "Failed"},
		{Name: "search-1", Phase: "Pending"},
		{Name: "search-2", Phase: "InProgress"},
	} {
		run.UID, run.Namespace, run.Series, run.ResourceVersion, run.Created = "uid-of-"+run.Name, "shop", "x", "1", time.Now()
		if err := w.site.Keep(t.Context(), archive.RunState{Run: run, Object: ObjectOf(run)}); err != nil {
			t.Fatal(err)
		}
	}
	grace := w.logIn(Grace)
	for query, want := range map[string]string{
		"name=check": "checkout-1 checkout-2", "name=check&state=Passed": "checkout-1", "state=Pending,InProgress": "search-1 search-2",
		"state=Passed&state=Pending": "checkout-1 search-1", "name=%25": "", "state=Pending%2CInProgress&name=search-2": "search-2",
	} {
		text := grace.get("/?" + query).text
		for _, name := range []string{"checkout-1", "checkout-2", "search-1", "search-2"} {
			if has := strings.Contains(text, "uid-of-"+name+`"`); has != strings.Contains(" "+want+" ", " "+name+" ") {
				t.Errorf("%s has %s: %v", query, name, has)
			}
		}
	}
	if got := grace.get("/?state=Nonsense"); got.status != http.StatusUnprocessableEntity {
		t.Errorf("a state that there is not is answered with %d", got.status)
	}
}
