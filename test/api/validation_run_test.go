package api

import "strings"

const (
	badTimeout    = `write whole hours, minutes and seconds, such as 90s, 10m or 1h30m: at least 1s, at most 99999h, no days, no fractions`
	thousandths   = `m stands for thousandths of a byte here: write Mi for mebibytes, such as 64Mi`
	tinyMemory    = `nothing runs in less than 1Mi of memory; a number without a unit is bytes: write Mi for mebibytes, such as 64Mi`
	badDuration   = `write whole hours, minutes and seconds, such as 0s, 30m or 24h: at most 99999h, no days, no fractions, not negative`
	notOneOfThree = `spec: Invalid value: set exactly one of testRef (the name of a Test), testSpec (a definition of its own) and rerunOf (the name of a run to repeat)`
	asItWas       = `spec: Invalid value: rerunOf repeats a run as that was asked for: leave out params, timeouts and retry`
	badRunName    = `no TestRun can have this name: use lower case letters, digits, - and ., as in the name of the run`

	badQueueName = `no TestQueue can have this name: use lower case letters, digits, - and ., as in the name of the TestQueue`
	badReference = `write a param as $(NAME), and $$ for a $`

	badTestName = `no Test can have this name: use lower case letters, digits, - and ., as in the name of the Test`
)

// ref is the spec of a run of the Test unit, with more of the spec behind it.
func ref(more string) string { return "{testRef: {name: unit}" + more + "}" }

// rerun is the spec of a run that repeats the run red, with more of the spec behind it.
func rerun(more string) string { return "{rerunOf: {name: red}" + more + "}" }

// inline is the spec of a run that defines its own test with these params, with more of the spec behind it.
func inline(params, more string) string {
	return "{testSpec: {params: [" + params + "], POD}" + more + "}"
}

// limits and requests are specs of runs whose container has these limits or requests.
func limits(of string) string   { return resources("limits: {" + of + "}") }
func requests(of string) string { return resources("requests: {" + of + "}") }
func resources(of string) string {
	return "{testSpec: {template: {spec: {containers: [{name: test, resources: {" + of + "}}]}}}}"
}

var runRefusals = []refusal{
	{"neither testRef nor testSpec nor rerunOf", ref(`, cancel: false`), `{cancel: false}`, notOneOfThree},
	{"both testRef and testSpec", `{testSpec: {POD}}`, `{testRef: {name: unit}, testSpec: {POD}}`, notOneOfThree},
	{"both testRef and rerunOf", rerun(``), `{testRef: {name: unit}, rerunOf: {name: red}}`, notOneOfThree},
	{"rerunOf with params", rerun(`, ttlAfterFinished: 1h`), rerun(`, params: [{name: A, value: x}]`), asItWas},
	{"rerunOf with timeouts", rerun(`, cancel: true`), rerun(`, timeouts: {run: 1h}`), asItWas},
	{"rerunOf with retry", rerun(``), rerun(`, retry: {failure: 1}`), asItWas},
	{"rerunOf without a name", rerun(``), `{rerunOf: {}}`, `spec.rerunOf.name: Required value`},
	{"rerunOf with a name that is not one", rerun(``), `{rerunOf: {name: "Not a Name!"}}`, `spec.rerunOf.name: Invalid value: "Not a Name!": ` + badRunName},
	{
		"a testRef without a name", ref(""), `{testRef: {}}`,
		`spec.testRef.name: Required value`,
	},
	{
		"a testRef with an empty name", ref(""), `{testRef: {name: ""}}`,
		`spec.testRef.name: Invalid value: "": spec.testRef.name in body should be at least 1 chars long`,
	},
	{
		"a testRef with a name that no Test can have", `{testRef: {name: ` + strings.Repeat("a", 63) + `}}`, `{testRef: {name: ` + strings.Repeat("a", 64) + `}}`,
		`spec.testRef.name: Too long: may not be more than 63 bytes`,
	},
	{
		"a testRef with a name that is not one", `{testRef: {name: unit.v1-2}}`, `{testRef: {name: "Not a Name!"}}`,
		`spec.testRef.name: Invalid value: "Not a Name!": ` + badTestName,
	},
	{
		"a testRef with a name that ends too early", `{testRef: {name: unit.v1}}`, `{testRef: {name: "unit..v1"}}`,
		`spec.testRef.name: Invalid value: "unit..v1": ` + badTestName,
	},
	{
		"a queue with a name that is not one", ref(`, queue: v1.team-a`), ref(`, queue: Default`),
		`spec.queue: Invalid value: "Default": ` + badQueueName,
	},
	{
		"a queue with a name that no object can have", ref(`, queue: team-a`), ref(`, queue: team-a.-b`),
		`spec.queue: Invalid value: "team-a.-b": ` + badQueueName,
	},
	{
		"a testSpec without a template", `{testSpec: {POD}}`, `{testSpec: {}}`,
		`spec.testSpec.template: Required value`,
	},

	{
		"a param that the inline test does not define", inline(`{name: A}`, `, params: [{name: A, value: x}]`), inline(`{name: A}`, `, params: [{name: B, value: x}, {name: A, value: x}, {name: C, value: x}]`),
		`spec: Invalid value: testSpec.params defines no B, which params gives a value`,
	},
	{
		"a param when the inline test defines none", `{testSpec: {POD}}`, `{testSpec: {POD}, params: [{name: A, value: x}]}`,
		`spec: Invalid value: testSpec.params defines no A, which params gives a value`,
	},
	{
		"no params when the inline test requires one", inline(`{name: A, required: true}`, `, params: [{name: A, value: x}]`), inline(`{name: A, required: true}`, ``),
		`spec: Invalid value: params gives no value for A, which testSpec.params requires`,
	},
	{
		"only one of two required params", inline(`{name: A, required: true}, {name: B, required: false}`, `, params: [{name: A, value: ""}]`),
		inline(`{name: A, required: true}, {name: B, required: true}`, `, params: [{name: A, value: ""}]`),
		`spec: Invalid value: params gives no value for B, which testSpec.params requires`,
	},
	{
		"a value outside the inline test's enum", inline(`{name: A, enum: [x, ""]}`, `, params: [{name: A, value: ""}]`), inline(`{name: A, enum: [x, ""]}`, `, params: [{name: A, value: X}]`),
		`spec: Invalid value: params gives a value that is not in the enum of A`,
	},
	{
		"a param given twice", ref(`, params: [{name: A, value: x}, {name: B, value: x}]`), ref(`, params: [{name: A, value: x}, {name: A, value: z}]`),
		`spec.params[1]: Duplicate value: {"name":"A"}`,
	},
	{
		"a param without a value", ref(`, params: [{name: A, value: ""}]`), ref(`, params: [{name: A}]`),
		`spec.params[0].value: Required value`,
	},
	{
		"a param without a name", ref(`, params: [{name: A, value: x}]`), ref(`, params: [{value: x}]`),
		`spec.params[0].name: Required value`,
	},
	{
		"a value that YAML takes for a number", ref(`, params: [{name: A, value: "1"}]`), ref(`, params: [{name: A, value: 1}]`),
		`spec.params[0].value: Invalid value: "integer": spec.params[0].value in body must be of type string: "integer"`,
	},
	{
		"a value too long", ref(`, params: [{name: A, value: ` + strings.Repeat("x", 1024) + `}]`), ref(`, params: [{name: A, value: ` + strings.Repeat("x", 1025) + `}]`),
		`spec.params[0].value: Too long: may not be more than 1024 bytes`,
	},
	{
		"an empty list of params", ref(`, params: [{name: A, value: x}]`), ref(`, params: []`),
		`spec.params: Invalid value: 0: spec.params in body should have at least 1 items`,
	},

	{"a backoff of the run in days", ref(`, retry: {backoff: {base: 1s}}`), ref(`, retry: {backoff: {base: 1d}}`), `spec.retry.backoff.base: Invalid value: "1d": ` + badDuration},
	{"an unreachable timeout of the run in days", ref(`, timeouts: {unreachable: 1s}`), ref(`, timeouts: {unreachable: 1d}`), `spec.timeouts.unreachable: Invalid value: "1d": ` + badTimeout},
	{"a cap of the run in days", ref(`, retry: {backoff: {cap: 1s}}`), ref(`, retry: {backoff: {cap: 1d}}`), `spec.retry.backoff.cap: Invalid value: "1d": ` + badDuration},
	{
		"a negative start timeout", ref(`, timeouts: {start: 5m}`), ref(`, timeouts: {start: -5m}`),
		`spec.timeouts.start: Invalid value: "-5m": ` + badTimeout,
	},
	{
		"a start timeout of zero", ref(`, timeouts: {start: 1s}`), ref(`, timeouts: {start: 0s}`),
		`spec.timeouts.start: Invalid value: "0s": ` + badTimeout,
	},
	{
		"a start timeout that is no duration", ref(`, timeouts: {start: 99999h}`), ref(`, timeouts: {start: soon}`),
		`spec.timeouts.start: Invalid value: "soon": ` + badTimeout,
	},
	{
		"a negative run timeout", ref(`, timeouts: {run: 1h30m}`), ref(`, timeouts: {run: -1h30m}`),
		`spec.timeouts.run: Invalid value: "-1h30m": ` + badTimeout,
	},
	{
		"a run timeout of less than a second", ref(`, timeouts: {run: 1s}`), ref(`, timeouts: {run: 500ms}`),
		`spec.timeouts.run: Invalid value: "500ms": ` + badTimeout,
	},
	{
		"a run timeout with a fraction", ref(`, timeouts: {run: 1m30s}`), ref(`, timeouts: {run: 1.5m}`),
		`spec.timeouts.run: Invalid value: "1.5m": ` + badTimeout,
	},
	{
		"a run timeout in days", ref(`, timeouts: {run: 24h}`), ref(`, timeouts: {run: 1d}`),
		`spec.timeouts.run: Invalid value: "1d": ` + badTimeout,
	},
	{
		"a run timeout that is empty", ref(``), ref(`, timeouts: {run: ""}`),
		`spec.timeouts.run: Invalid value: "": ` + badTimeout,
	},
	{
		"a run timeout without a unit", ref(`, timeouts: {run: 60s}`), ref(`, timeouts: {run: "60"}`),
		`spec.timeouts.run: Invalid value: "60": ` + badTimeout,
	},
	{
		"a run timeout that YAML takes for a number", ref(`, timeouts: {run: 60s}`), ref(`, timeouts: {run: 60}`),
		`spec.timeouts.run: Invalid value: "integer": spec.timeouts.run in body must be of type string: "integer"`,
	},
	{
		"timeouts without any", ref(`, timeouts: {run: 60s}`), ref(`, timeouts: {}`),
		`spec.timeouts: Invalid value: 0: spec.timeouts in body should have at least 1 properties`,
	},
	{
		"a negative ttl", ref(`, ttlAfterFinished: 0s`), ref(`, ttlAfterFinished: -1s`),
		`spec.ttlAfterFinished: Invalid value: "-1s": ` + badDuration,
	},
	{
		"a ttl of less than a second", ref(`, ttlAfterFinished: 1s`), ref(`, ttlAfterFinished: 10ms`),
		`spec.ttlAfterFinished: Invalid value: "10ms": ` + badDuration,
	},
	{
		"a ttl in days", ref(`, ttlAfterFinished: 168h`), ref(`, ttlAfterFinished: 7d`),
		`spec.ttlAfterFinished: Invalid value: "7d": ` + badDuration,
	},
	{
		"a ttl of zero without a unit", ref(`, ttlAfterFinished: 0m`), ref(`, ttlAfterFinished: "0"`),
		`spec.ttlAfterFinished: Invalid value: "0": ` + badDuration,
	},
	{
		"a number of runs to keep of an inline test", `{testSpec: {POD, retention: {ttl: {passed: 1h}}}}`, `{testSpec: {POD, retention: {keep: {passed: 10}}}}`,
		`spec.testSpec: Invalid value: retention.keep counts the runs of a Test, and an inline definition has only this one: use testRef, or set retention.ttl`,
	},
	{"a unique window in days", ref(`, unique: {key: a, window: 24h}`), ref(`, unique: {key: a, window: 1d}`), `spec.unique.window: Invalid value: "1d": ` + badDuration},
	{"runAfter in words", ref(`, runAfter: "2026-01-31T10:00:00.5+01:00"`), ref(`, runAfter: tomorrow`), `spec.runAfter: Invalid value: "tomorrow": write a time such as 2026-01-31T10:00:00Z`},
	{"runAfter without a time zone", ref(`, runAfter: "2024-02-29T23:59:59Z"`), ref(`, runAfter: "2026-01-31 10:00:00"`), `spec.runAfter: Invalid value: "2026-01-31 10:00:00": write a time such as 2026-01-31T10:00:00Z`},
	{"a timeout of more hours than can be written", ref(`, timeouts: {run: 99999h}`), ref(`, timeouts: {run: 100000h}`), `spec.timeouts.run: Invalid value: "100000h": ` + badTimeout},
	{"a memory limit in thousandths of a byte", limits(`memory: 64Mi`), limits(`memory: 64m`), `spec.testSpec.template.spec.containers[0].resources.limits: Invalid value: ` + thousandths},
	{"a memory request in thousandths of a byte", requests(`memory: 1`), requests(`memory: 64m`), `spec.testSpec.template.spec.containers[0].resources.requests: Invalid value: ` + thousandths},
	{"scratch space in thousandths of a byte", requests(`ephemeral-storage: 1Gi, cpu: 5m`), requests(`ephemeral-storage: 512m`), `spec.testSpec.template.spec.containers[0].resources.requests: Invalid value: ` + thousandths},
	{"a memory limit without a unit", limits(`memory: 1Mi`), limits(`memory: 64`), `spec.testSpec.template.spec.containers[0].resources.limits: Invalid value: ` + tinyMemory},
	{"a memory limit of kilobytes", limits(`memory: 0`), limits(`memory: "512k"`), `spec.testSpec.template.spec.containers[0].resources.limits: Invalid value: ` + tinyMemory},
	{"runAfter before there was time", ref(`, runAfter: "2026-01-31T10:00:00Z"`), ref(`, runAfter: "1969-01-31T10:00:00Z"`), `spec.runAfter: Invalid value: "1969-01-31T10:00:00Z": write a time such as 2026-01-31T10:00:00Z`},
	{"unique without a key", ref(`, unique: {key: a}`), ref(`, unique: {window: 1h}`), `spec.unique.key: Required value`},
	{"a concurrency of none", ref(`, concurrency: {key: a, max: 1}`), ref(`, concurrency: {key: a, max: 0}`), `spec.concurrency.max: Invalid value: 0: spec.concurrency.max in body should be greater than or equal to 1`},
	{
		"a run's own concurrency key with a param that the inline test does not define",
		inline(`{name: TARGET}`, `, concurrency: {key: a-$(TARGET)}`), inline(`{name: TARGET}`, `, concurrency: {key: $$-$(TARGET)-$(TARGTE)}`),
		`spec: Invalid value: concurrency.key holds $(TARGTE), which testSpec.params does not define`,
	},
	{
		"a run's own concurrency key with a param when the inline test defines none",
		`{testSpec: {POD}, concurrency: {key: a-$$(TARGET)}}`, `{testSpec: {POD}, concurrency: {key: a-$(TARGET)}}`,
		`spec: Invalid value: concurrency.key holds $(TARGET), which testSpec.params does not define`,
	},
	{"a concurrency key with a param that is not closed", ref(`, concurrency: {key: "a-$(TARGET)"}`), ref(`, concurrency: {key: "a-$(TARGET"}`), `spec.concurrency.key: Invalid value: "a-$(TARGET": ` + badReference},
	{"a concurrency key with a param as in a shell", ref(`, concurrency: {key: "a-$$TARGET"}`), ref(`, concurrency: {key: "a-${TARGET}"}`), `spec.concurrency.key: Invalid value: "a-${TARGET}": ` + badReference},
	{"a concurrency key with a lone $", ref(`, concurrency: {key: "$$$(TARGET)"}`), ref(`, concurrency: {key: "a-$TARGET"}`), `spec.concurrency.key: Invalid value: "a-$TARGET": ` + badReference},
	{"a concurrency key with a param without a name", ref(`, concurrency: {key: "a-$(T)"}`), ref(`, concurrency: {key: "a-$()"}`), `spec.concurrency.key: Invalid value: "a-$()": ` + badReference},
	{"a queue timeout of the run in days", ref(`, timeouts: {queue: 24h}`), ref(`, timeouts: {queue: 1d}`), `spec.timeouts.queue: Invalid value: "1d": ` + badTimeout},
	{"an unknown policy of concurrency", ref(`, concurrency: {key: a, onConflict: ReplaceRunning}`), ref(`, concurrency: {key: a, onConflict: Replace}`), `spec.concurrency.onConflict: Unsupported value: "Replace": supported values: "Wait", "Refuse", "ReplacePending", "ReplaceRunning"`},
	{
		"cancel that is a word", ref(`, cancel: true`), ref(`, cancel: "yes"`),
		`spec.cancel: Invalid value: "string": spec.cancel in body must be of type boolean: "string"`,
	},
}
