// Package alerts evaluates the alerts of the chart with Prometheus' own engine, and reads its dashboard and its objects with the types of those who
// read them. It is a module of its own: nothing else here needs Prometheus or cert-manager.
package alerts

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"github.com/prometheus/prometheus/promql/parser"
	"sigs.k8s.io/yaml"
)

const files = "../../charts/testrun/files/"

// rule is an alert of the file.
type rule struct {
	Alert, Expr         string
	For                 time.Duration
	Labels, Annotations map[string]string
	parsed              parser.Expr
}

// alertsOf are the alerts that the chart renders, as the Prometheus operator reads them.
func alertsOf(t *testing.T) (found []rule) {
	t.Helper()
	rendered := &monitoringv1.PrometheusRule{}
	decode(t, "PrometheusRule", "testrun", rendered)
	for _, group := range rendered.Spec.Groups {
		for _, given := range group.Rules {
			next := rule{Alert: given.Alert, Expr: given.Expr.String(), Labels: given.Labels, Annotations: given.Annotations}
			if given.For != nil {
				var err error
				if next.For, err = time.ParseDuration(string(*given.For)); err != nil {
					t.Fatal(err)
				}
			}
			next.parsed = parse(t, given.Alert, next.Expr)
			found = append(found, next)
		}
	}
	if len(found) < 10 {
		t.Fatalf("only %d alerts were found", len(found))
	}
	return found
}

// parse reads an expression, and checks that each metric in it is asked of a job: others may have metrics of the same name.
func parse(t *testing.T, where, expression string) parser.Expr {
	t.Helper()
	parsed, err := parser.NewParser(parser.Options{}).ParseExpr(expression)
	if err != nil {
		t.Fatalf("%s: %v: %s", where, err, expression)
	}
	for _, selectors := range parser.ExtractSelectors(parsed) {
		ofJob := false
		for _, matcher := range selectors {
			ofJob = ofJob || matcher.Name == "job" && strings.HasPrefix(matcher.Value, "testrun-")
		}
		if !ofJob {
			t.Errorf("%s: %v names no job of ours", where, selectors)
		}
	}
	return parsed
}

// decode reads an object that the chart renders into its type, which has to know each field.
func decode(t *testing.T, kind, name string, into any) {
	t.Helper()
	args := []string{
		"template", "testrun", "../../charts/testrun", "--namespace=testrun-system", "--set=server.enabled=true",
		"--set=jobtable.namespaces[0].name=shop,jobtable.namespaces[0].existingSecret=databases",
		"--set=monitoring.serviceMonitor.enabled=true,monitoring.prometheusRule.enabled=true,monitoring.serviceMonitor.interval=15s",
		"--set=server.tls.certManager.enabled=true,server.tls.certManager.issuerRef.name=ours,server.tls.certManager.issuerRef.kind=ClusterIssuer",
		"--set=server.tls.certManager.dnsNames={tests.example.com}", "--api-versions=cert-manager.io/v1/Certificate",
		"--api-versions=monitoring.coreos.com/v1/ServiceMonitor", "--api-versions=monitoring.coreos.com/v1/PrometheusRule",
	}
	command := exec.CommandContext(t.Context(), filepath.FromSlash("../../bin/tools/helm"), args...)
	var errors bytes.Buffer
	command.Stderr = &errors
	output, err := command.Output()
	if err != nil {
		t.Fatalf("helm template: %v: %s (make bin/tools/helm builds it)", err, errors.String())
	}
	for document := range strings.SplitSeq(string(output), "\n---\n") {
		if strings.Contains(document, "\nkind: "+kind+"\n") && strings.Contains(document, "\n  name: "+name+"\n") {
			if err := yaml.UnmarshalStrict([]byte(document), into); err != nil {
				t.Fatalf("%s %s: %v", kind, name, err)
			}
			return
		}
	}
	t.Fatalf("the chart renders no %s %s", kind, name)
}

func TestThePrometheusOperatorReadsTheServiceMonitors(t *testing.T) {
	for _, name := range []string{"testrun-controller-manager", "testrun-server", "testrun-jobtable"} {
		monitor := &monitoringv1.ServiceMonitor{}
		decode(t, "ServiceMonitor", name, monitor)
		if len(monitor.Spec.Endpoints) != 1 || monitor.Spec.Endpoints[0].Port != "metrics" || monitor.Spec.Endpoints[0].Interval != "15s" {
			t.Errorf("%s is read as %+v", name, monitor.Spec)
		}
	}
}

func TestGrafanaReadsTheDashboard(t *testing.T) {
	text, err := os.ReadFile(files + "dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	if faults := faultsOf(text); faults != "" {
		t.Errorf("Grafana's types do not know it: %s", faults)
	}
	if misspelt := bytes.Replace(text, []byte(`"gridPos"`), []byte(`"gridPosition"`), 1); faultsOf(misspelt) == "" {
		t.Error("Grafana's types know anything: this test proves nothing")
	}
	var board struct {
		Panels []struct {
			Title   string
			Type    string
			GridPos struct{ X, Y, W, H int }
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(text, &board); err != nil {
		t.Fatal(err)
	}
	asked := 0
	taken := map[[2]int]string{}
	for _, panel := range board.Panels {
		for _, target := range panel.Targets {
			asked++
			expression := strings.NewReplacer("$__rate_interval", "5m", `"$queue"`, `".*"`).Replace(target.Expr)
			parse(t, panel.Title, expression)
		}
		for x := panel.GridPos.X; x < panel.GridPos.X+panel.GridPos.W; x++ {
			for y := panel.GridPos.Y; y < panel.GridPos.Y+panel.GridPos.H; y++ {
				if other := taken[[2]int{x, y}]; other != "" || x >= 24 {
					t.Fatalf("panel %q lies over %q, or beyond the edge", panel.Title, other)
				}
				taken[[2]int{x, y}] = panel.Title
			}
		}
	}
	if asked < 25 {
		t.Errorf("only %d expressions were found", asked)
	}
}

// faultsOf are what Grafana's own types say of a dashboard. Without faults they return an error that has no text.
func faultsOf(text []byte) string {
	if err := (&dashboard.Dashboard{}).UnmarshalJSONStrict(text); err != nil { //nolint:staticcheck // the sidecar of today loads the classic model
		return err.Error()
	}
	return ""
}
