package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"strings"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
)

// writes counts requests that write, by resource (and subresource) and verb.
type writes map[string]float64

// readWrites asks the API server how many there were since it started.
func (c *cluster) readWrites(ctx context.Context) (writes, error) {
	clientset, err := kubernetes.NewForConfig(c.config)
	if err != nil {
		return nil, err
	}
	text, err := clientset.RESTClient().Get().AbsPath("/metrics").DoRaw(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading the API server's metrics: %w", err)
	}
	return countWrites(text)
}

const requestTotal = "apiserver_request_total"

// countWrites leaves out what goes on all the time: heartbeats, and questions about rights, which store nothing.
func countWrites(text []byte) (writes, error) {
	var requests bytes.Buffer // parsing all the metrics would cost more than what is measured
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if line := lines.Text(); strings.HasPrefix(line, requestTotal+"{") {
			requests.WriteString(line + "\n")
		}
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(&requests)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", requestTotal, err)
	}
	counted := writes{}
	for _, metric := range families[requestTotal].GetMetric() {
		labels := labelsOf(metric)
		if !isWrite(labels) {
			continue
		}
		resource := labels["resource"]
		if labels["subresource"] != "" {
			resource += "/" + labels["subresource"]
		}
		counted[resource+" "+labels["verb"]] += metric.GetUntyped().GetValue()
	}
	return counted, nil
}

func labelsOf(metric *dto.Metric) map[string]string {
	labels := map[string]string{}
	for _, pair := range metric.GetLabel() {
		labels[pair.GetName()] = pair.GetValue()
	}
	return labels
}

func isWrite(labels map[string]string) bool {
	switch labels["group"] {
	case "coordination.k8s.io", "authentication.k8s.io", "authorization.k8s.io", "flowcontrol.apiserver.k8s.io":
		return false
	}
	switch labels["resource"] {
	case "nodes", "serviceaccounts":
		return false
	}
	switch labels["verb"] {
	case "POST", "PUT", "PATCH", "APPLY", "DELETE", "DELETECOLLECTION":
		return true
	default:
		return false
	}
}

func (w writes) minus(other writes) writes {
	difference := writes{}
	for key, n := range w {
		if n -= other[key]; n != 0 {
			difference[key] = n
		}
	}
	for key, n := range other {
		if _, both := w[key]; !both && n != 0 {
			difference[key] = -n
		}
	}
	return difference
}

func (w writes) per(runs int) writes {
	each := writes{}
	for key, n := range w {
		each[key] = n / float64(runs)
	}
	return each
}

// total leaves events out: they are written in the background, expire, and may be lost without harm.
func (w writes) total() float64 {
	sum := 0.0
	for key, n := range w {
		if !strings.HasPrefix(key, "events ") {
			sum += n
		}
	}
	return sum
}

func (w writes) events() float64 { return w["events POST"] + w["events PATCH"] }

// settled waits until nothing more is written, and says how much was: events and the Job controller's bookkeeping come late.
func (c *cluster) settled(ctx context.Context) (writes, error) {
	last, err := c.readWrites(ctx)
	if err != nil {
		return nil, err
	}
	err = wait.PollUntilContextTimeout(ctx, time.Second, patience, false, func(ctx context.Context) (bool, error) {
		next, err := c.readWrites(ctx)
		if err != nil {
			return false, err
		}
		isQuiet := len(next.minus(last)) == 0
		last = next
		return isQuiet, nil
	})
	return last, err
}
