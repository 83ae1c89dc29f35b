package archivestatus

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/fields"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	toolscache "k8s.io/client-go/tools/cache"
)

// firstLook is how long the operator waits for its first look at the ConfigMap before it works without.
const firstLook = 5 * time.Second

const missing = "the ConfigMap does not exist"

// Watcher knows the Status of the archive at every moment. Its methods may be called by several goroutines.
type Watcher struct {
	informer toolscache.SharedInformer
	// hasRead says whether the first state of the ConfigMap has been read, if there is one.
	hasRead toolscache.InformerSynced
	log     logr.Logger
	// pins are given by a flag, and count in place of those of the ConfigMap; none means that nobody has given any.
	pins []string
	// settled is closed once the ConfigMap has been looked at, or firstLook is over.
	settled chan struct{}
	// changed are called after each change. They are added before Start.
	changed []func(Status)

	mu      sync.Mutex
	status  Status
	found   bool
	problem string
}

// NewWatcher makes a Watcher of the ConfigMap of that namespace. It is to be started. Pins that are given count in place of those of the
// ConfigMap.
func NewWatcher(config *rest.Config, client *http.Client, namespace string, pins []string, log logr.Logger) (*Watcher, error) {
	core, err := corev1client.NewForConfigAndClient(config, client)
	if err != nil {
		return nil, fmt.Errorf("making a client for the ConfigMap of the archive: %w", err)
	}
	w := &Watcher{pins: pins, log: log.WithValues("namespace", namespace, "configMap", ConfigMap), settled: make(chan struct{})}
	w.status.Pins = pins
	only := fields.OneTermEqualSelector("metadata.name", ConfigMap)
	from := toolscache.NewListWatchFromClient(core.RESTClient(), "configmaps", namespace, only)
	w.informer = toolscache.NewSharedInformer(from, &corev1.ConfigMap{}, 0)
	reading, err := w.informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
		AddFunc:    w.read,
		UpdateFunc: func(_, now any) { w.read(now) },
		DeleteFunc: func(any) { w.hold(Status{Pins: pins}, false); w.say(missing) },
	})
	if err != nil {
		return nil, fmt.Errorf("preparing to watch the ConfigMap of the archive: %w", err)
	}
	w.hasRead = reading.HasSynced
	return w, nil
}

// OnChange has f called after each change of the Status, by one goroutine. It is to be called before Start.
func (w *Watcher) OnChange(f func(Status)) { w.changed = append(w.changed, f) }

// NeedLeaderElection lets each replica watch, so that the next leader knows at once.
func (w *Watcher) NeedLeaderElection() bool { return false }

// Start watches until the context ends. That the ConfigMap cannot be read is no error: the operator works without.
func (w *Watcher) Start(ctx context.Context) error {
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.informer.RunWithContext(ctx)
	}()
	w.waitForFirstLook(ctx)
	close(w.settled)
	<-done
	return nil
}

func (w *Watcher) waitForFirstLook(ctx context.Context) {
	first, cancel := context.WithTimeout(ctx, firstLook)
	defer cancel()
	switch synced := toolscache.WaitForCacheSync(first.Done(), w.hasRead); {
	case ctx.Err() != nil || w.exists():
	case synced:
		w.say(missing)
	default:
		w.say("the ConfigMap could not be read within " + firstLook.String())
	}
}

// Status is what is known now. It waits for the first look at the ConfigMap, for a few seconds at most.
func (w *Watcher) Status(ctx context.Context) Status {
	select {
	case <-w.settled:
	case <-ctx.Done():
	}
	return w.now()
}

func (w *Watcher) now() Status {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.status
}

// exists says whether the ConfigMap has been read.
func (w *Watcher) exists() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.found
}

func (w *Watcher) read(obj any) {
	config, ok := obj.(*corev1.ConfigMap)
	if !ok {
		return
	}
	status, err := Read(map[string]string{
		KeyWatermark: config.Data[KeyWatermark],
		KeyPins:      cmp.Or(strings.Join(w.pins, ","), config.Data[KeyPins]),
	})
	w.hold(status, true)
	if err != nil {
		w.say(err.Error())
		return
	}
	w.say("")
}

func (w *Watcher) hold(status Status, found bool) {
	w.mu.Lock()
	w.status, w.found = status, found
	w.mu.Unlock()
	for _, changed := range w.changed {
		changed(status)
	}
}

// say logs a problem when it is new, and its end.
func (w *Watcher) say(problem string) {
	w.mu.Lock()
	before := w.problem
	w.problem = problem
	w.mu.Unlock()
	switch problem {
	case before:
	case "":
		w.log.Info("The archive says again what it has stored, and what its key is")
	default:
		w.log.Info("The archive does not say what it has stored, or what its key is: finished runs wait for it at most as long as "+
			"--retention-waits-for-archive says, and tests that start without a pin push nothing", "cause", problem)
	}
}

var knownDesc = prometheus.NewDesc("testrun_archive_status_known",
	"1 if the operator knows this of the archive, else 0: watermark, up to where it has stored everything, or pins, its key.", []string{"key"}, nil)

// Describe implements prometheus.Collector.
func (w *Watcher) Describe(descriptions chan<- *prometheus.Desc) { descriptions <- knownDesc }

// Collect implements prometheus.Collector.
func (w *Watcher) Collect(metrics chan<- prometheus.Metric) {
	status := w.now()
	for key, known := range map[string]bool{KeyWatermark: status.Watermark != "", KeyPins: len(status.Pins) > 0} {
		value := 0.0
		if known {
			value = 1
		}
		metrics <- prometheus.MustNewConstMetric(knownDesc, prometheus.GaugeValue, value, key)
	}
}
