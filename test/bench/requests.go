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

// requests counts requests to the API server, by resource (and subresource) and verb.
type requests map[string]float64

// served is what the API server has done since it started.
type served struct {
	requests requests
	// reviews are those of tokens and rights, which store nothing.
	reviews float64
	cpu     time.Duration
}

// readServed asks the API server.
func (c *cluster) readServed(ctx context.Context) (served, error) {
	clientset, err := kubernetes.NewForConfig(c.config)
	if err != nil {
		return served{}, err
	}
	text, err := clientset.RESTClient().Get().AbsPath("/metrics").DoRaw(ctx)
	if err != nil {
		return served{}, fmt.Errorf("reading the API server's metrics: %w", err)
	}
	return countServed(text)
}

const (
	requestTotal = "apiserver_request_total"
	cpuSeconds   = "process_cpu_seconds_total"
)

// countServed leaves out what goes on all the time: heartbeats, and questions about rights, which store nothing.
func countServed(text []byte) (served, error) {
	var relevant bytes.Buffer // parsing all the metrics would cost more than what is measured
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if line := lines.Text(); strings.HasPrefix(line, requestTotal+"{") || strings.HasPrefix(line, cpuSeconds+" ") {
			relevant.WriteString(line + "\n")
		}
	}
	if err := lines.Err(); err != nil {
		return served{}, err
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(&relevant)
	if err != nil {
		return served{}, fmt.Errorf("reading the API server's metrics: %w", err)
	}
	counted, reviews := requests{}, 0.0
	for _, metric := range families[requestTotal].GetMetric() {
		labels := labelsOf(metric)
		if strings.HasSuffix(labels["resource"], "reviews") {
			reviews += metric.GetUntyped().GetValue()
		}
		if !isCounted(labels) {
			continue
		}
		resource := labels["resource"]
		if labels["subresource"] != "" {
			resource += "/" + labels["subresource"]
		}
		counted[resource+" "+labels["verb"]] += metric.GetUntyped().GetValue()
	}
	done := served{requests: counted, reviews: reviews}
	for _, metric := range families[cpuSeconds].GetMetric() {
		done.cpu = time.Duration(metric.GetUntyped().GetValue() * float64(time.Second))
	}
	return done, nil
}

func labelsOf(metric *dto.Metric) map[string]string {
	labels := map[string]string{}
	for _, pair := range metric.GetLabel() {
		labels[pair.GetName()] = pair.GetValue()
	}
	return labels
}

func isCounted(labels map[string]string) bool {
	switch labels["group"] {
	case "coordination.k8s.io", "authentication.k8s.io", "authorization.k8s.io", "flowcontrol.apiserver.k8s.io":
		return false
	}
	switch labels["resource"] {
	case "nodes", "serviceaccounts":
		return false
	}
	return labels["resource"] != "" && labels["verb"] != "WATCH" && labels["verb"] != "CONNECT"
}

func (r requests) minus(other requests) requests {
	difference := requests{}
	for key, n := range r {
		if n -= other[key]; n != 0 {
			difference[key] = n
		}
	}
	for key, n := range other {
		if _, both := r[key]; !both && n != 0 {
			difference[key] = -n
		}
	}
	return difference
}

func (r requests) per(runs int) requests {
	each := requests{}
	for key, n := range r {
		each[key] = n / float64(runs)
	}
	return each
}

// writes leaves events out: they are written in the background, expire, and may be lost without harm.
func (r requests) writes() float64 {
	sum := 0.0
	for key, n := range r {
		resource, verb, _ := strings.Cut(key, " ")
		if resource != "events" && verb != "GET" && verb != "LIST" {
			sum += n
		}
	}
	return sum
}

func (r requests) sum() float64 {
	sum := 0.0
	for _, n := range r {
		sum += n
	}
	return sum
}

func (r requests) events() float64 { return r["events POST"] + r["events PATCH"] }

// settled waits until nothing more is written, and returns what was done so far: events and the Job controller's bookkeeping come late.
func (c *cluster) settled(ctx context.Context) (served, error) {
	last, err := c.readServed(ctx)
	if err != nil {
		return served{}, err
	}
	err = wait.PollUntilContextTimeout(ctx, time.Second, patience, false, func(ctx context.Context) (bool, error) {
		next, err := c.readServed(ctx)
		if err != nil {
			return false, err
		}
		since := next.requests.minus(last.requests)
		isQuiet := since.writes() == 0 && since.events() == 0
		last = next
		return isQuiet, nil
	})
	return last, err
}
