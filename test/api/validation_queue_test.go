package api

import "testing"

var queueRefusals = []refusal{
	{"a limit of none", `{maxRunning: 1}`, `{maxRunning: 0}`, `spec.maxRunning: Invalid value: 0: spec.maxRunning in body should be greater than or equal to 1`},
	{"a negative number that may wait", `{maxPending: 1}`, `{maxPending: -1}`, `spec.maxPending: Invalid value: -1: spec.maxPending in body should be greater than or equal to 1`},
	{"a number of a namespace that may wait of none", `{maxPendingPerNamespace: 1}`, `{maxPendingPerNamespace: 0}`, `spec.maxPendingPerNamespace: Invalid value: 0: spec.maxPendingPerNamespace in body should be greater than or equal to 1`},
	{"a negative greatest priority", `{maxPriority: 0}`, `{maxPriority: -1}`, `spec.maxPriority: Invalid value: -1: spec.maxPriority in body should be greater than or equal to 0`},
	{"a rate without a number", `{startRate: {starts: 1, per: 1m}}`, `{startRate: {per: 1m}}`, `spec.startRate.starts: Required value`},
	{"a rate in days", `{startRate: {starts: 1, per: 24h}}`, `{startRate: {starts: 1, per: 1d}}`, `spec.startRate.per: Invalid value: "1d": ` + badTimeout},
	{"aging at once", `{agingInterval: 1s}`, `{agingInterval: 0s}`, `spec.agingInterval: Invalid value: "0s": ` + badTimeout},
	{"a weight of none", `{weights: [{namespace: a, weight: 1}]}`, `{weights: [{namespace: a, weight: 0}]}`, `spec.weights[0].weight: Invalid value: 0: spec.weights[0].weight in body should be greater than or equal to 1`},
	{"a namespace weighed twice", `{weights: [{namespace: a, weight: 1}, {namespace: b, weight: 1}]}`, `{weights: [{namespace: a, weight: 1}, {namespace: a, weight: 2}]}`, `spec.weights[1]: Duplicate value: {"namespace":"a"}`},
}

func TestABadQueueIsRefused(t *testing.T) {
	for _, c := range queueRefusals {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			checkRefusal(t, "TestQueue", c)
		})
	}
}
