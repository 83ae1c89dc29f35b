package chart

import (
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	"sigs.k8s.io/yaml"

	"github.com/testrun-dev/testrun/controllers"
	"github.com/testrun-dev/testrun/internal/archive"
	"github.com/testrun-dev/testrun/internal/archive/ingest"
	"github.com/testrun-dev/testrun/internal/jobtable"
	serverprogram "github.com/testrun-dev/testrun/internal/server"
	"github.com/testrun-dev/testrun/test/apiserver"
)

// A dashboard that asks for what nobody measures is empty, and an alert never fires.
func TestDashboardAndAlertsAskForWhatTheProgramsMeasure(t *testing.T) {
	known := map[string]map[string][]string{
		"testrun-controller-manager-metrics": measuredByTheOperator(t), "testrun-server": measuredByTheServer(t),
		"testrun-jobtable": measuredByJobtable(),
	}
	asked := 0
	for where, expression := range expressions(t) {
		for _, selector := range selectorsOf(expression) {
			asked++
			of := known[selector.job]
			if of == nil {
				t.Errorf("%s: %s is asked of the job %q, which is none of ours", where, selector.metric, selector.job)
				continue
			}
			labels, exists := of[selector.metric]
			if !exists && selector.metric != "up" {
				t.Errorf("%s: the program behind %s has no metric %s", where, selector.job, selector.metric)
				continue
			}
			for _, label := range selector.labels {
				if !slices.Contains(labels, label) && label != "job" && !slices.Contains(ofPod, label) {
					t.Errorf("%s: %s has the labels %v, and not %s", where, selector.metric, labels, label)
				}
			}
		}
	}
	if asked < 50 {
		t.Errorf("only %d selectors were found", asked)
	}
}

// measured are the names of what is registered, with its labels.
func measured(collectors ...prometheus.Collector) map[string][]string {
	names := map[string][]string{}
	description := regexp.MustCompile(`^Desc\{fqName: "([^"]+)".*variableLabels: \{([^}]*)\}\}$`)
	for _, collector := range collectors {
		descriptions := make(chan *prometheus.Desc)
		go func() {
			collector.Describe(descriptions)
			close(descriptions)
		}()
		for found := range descriptions {
			match := description.FindStringSubmatch(found.String())
			labels := strings.FieldsFunc(match[2], func(r rune) bool { return r == ',' || r == ' ' })
			names[match[1]] = labels
			for _, part := range []string{"_sum", "_count"} {
				names[match[1]+part] = labels
			}
			names[match[1]+"_bucket"] = append(slices.Clone(labels), "le")
		}
	}
	return names
}

func measuredByTheOperator(t *testing.T) map[string][]string {
	t.Helper()
	mgr, err := controllers.NewManager(t.Context(), apiserver.Config, controllers.Process{MetricsAddress: "0", ProbeAddress: "0"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	registry := prometheus.NewRegistry()
	options := controllers.Options{Metrics: registry, Concurrency: 1, DeletionsPerSecond: 1}
	options.Archive = controllers.Archive{URL: "https://archive:9443", Namespace: home}
	if _, err := controllers.SetupAll(t.Context(), mgr, options); err != nil {
		t.Fatal(err)
	}
	return measured(registry, metrics.Registry.(prometheus.Collector))
}

func measuredByTheServer(t *testing.T) map[string][]string {
	t.Helper()
	registry := prometheus.NewRegistry()
	_, err := serverprogram.New(t.Context(), serverprogram.Options{
		Config: apiserver.Config, Namespace: home, DataDir: t.TempDir(), APIAddress: "127.0.0.1:0", PushAddress: "127.0.0.1:0", HealthAddress: "127.0.0.1:0",
		Limits: ingest.DefaultLimits(), Retention: archive.DefaultPolicy, Log: slog.New(slog.DiscardHandler), Registry: registry,
	})
	if err != nil {
		t.Fatal(err)
	}
	return measured(registry)
}

func measuredByJobtable() map[string][]string {
	registry := prometheus.NewRegistry()
	jobtable.NewMetrics(registry)
	return measured(registry)
}

// expressions are those of the alerts and of the dashboard, by where they are.
func expressions(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	for name, decode := range map[string]func([]byte, any) error{
		"alerts.yaml":    func(text []byte, into any) error { return yaml.Unmarshal(text, into) },
		"dashboard.json": json.Unmarshal,
	} {
		text, err := os.ReadFile(filepath.Join(chart, "files", name))
		if err != nil {
			t.Fatal(err)
		}
		var file any
		if err := decode(text, &file); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		collect(name, file, found)
	}
	if len(found) < 40 {
		t.Errorf("only %d expressions were found", len(found))
	}
	return found
}

func collect(where string, of any, found map[string]string) {
	switch of := of.(type) {
	case object:
		for _, name := range []string{"title", "alert", "refId"} {
			if text, ok := of[name].(string); ok {
				where += " " + text
			}
		}
		for name, field := range of {
			text, ok := field.(string)
			switch {
			case ok && name == "expr":
				found[where] = text
			case ok && strings.HasPrefix(text, "label_values("):
				found[where+" "+name] = strings.TrimPrefix(text[:strings.LastIndex(text, ",")], "label_values(")
			default:
				collect(where, field, found)
			}
		}
	case []any:
		for _, item := range of {
			collect(where, item, found)
		}
	}
}

// selector is what PromQL asks for: a metric, of a job, with labels that it has to have.
type selector struct {
	metric, job string
	labels      []string
}

var (
	metricSelector = regexp.MustCompile(`([a-z_:][a-zA-Z0-9_:]*)\{([^}]*)\}`)
	matcher        = regexp.MustCompile(`([a-z_]+)\s*(=|!=|=~|!~)\s*"([^"]*)"`)
	grouping       = regexp.MustCompile(`\bby \(([^)]*)\)`)
	ofPod          = []string{"pod", "instance", "namespace"} // labels that Prometheus adds
)

// selectorsOf reads an expression. Each of ours names its job, so a metric without braces is found by the parser of test/alerts.
func selectorsOf(expression string) (found []selector) {
	var groups []string
	for _, match := range grouping.FindAllStringSubmatch(expression, -1) {
		for label := range strings.SplitSeq(match[1], ",") {
			if label = strings.TrimSpace(label); !slices.Contains(ofPod, label) {
				groups = append(groups, label)
			}
		}
	}
	for _, match := range metricSelector.FindAllStringSubmatch(expression, -1) {
		next := selector{metric: match[1], labels: slices.Clone(groups)}
		for _, pair := range matcher.FindAllStringSubmatch(match[2], -1) {
			next.labels = append(next.labels, pair[1])
			if pair[1] == "job" {
				next.job = pair[3]
			}
		}
		found = append(found, next)
	}
	return found
}
