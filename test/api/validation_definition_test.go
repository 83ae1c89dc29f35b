package api

import "strings"

// definitionRefusal is a refusal of a TestSpec. In what is wanted, SPEC stands for where the TestSpec is.
type definitionRefusal struct {
	refusal
	// params are what a run of the inline test needs besides.
	params string
}

// inEachKind returns the refusal as a Test gets it, and a TestRun with the definition inline.
func (d definitionRefusal) inEachKind() map[string]refusal {
	inline := func(spec string) string { return "{testSpec: " + spec + d.params + "}" }
	return map[string]refusal{
		"Test":    {d.name, d.good, d.bad, strings.ReplaceAll(d.want, "SPEC", "spec")},
		"TestRun": {d.name, inline(d.good), inline(d.bad), strings.ReplaceAll(d.want, "SPEC", "spec.testSpec")},
	}
}

// pod is the spec of a definition with this pod spec, with more of the definition behind it.
func pod(spec, more string) string {
	return "{template: {spec: {" + spec + "}}" + more + "}"
}

// oneParam is the spec of a definition with one param.
func oneParam(param string) string { return "{params: [" + param + "], POD}" }

const (
	container  = `containers: [{name: test, image: perl}]`
	containers = `containers: [{name: test, image: perl}, {name: db, image: postgres}]`

	noContainers  = `SPEC: Invalid value: template.spec needs at least one container: the test`
	badRestart    = `SPEC: Invalid value: restartPolicy must be Never or left out: a test is never restarted behind your back`
	badRestarts   = `SPEC: Invalid value: a container's restartPolicy must be Never or left out, and it has no restartPolicyRules: a test is never restarted behind your back`
	hasDeadline   = `SPEC: Invalid value: activeDeadlineSeconds must be left out: set timeouts.run instead`
	notAContainer = `SPEC: Invalid value: container must be the name of one of template.spec.containers`
	badParamName  = `a param's name becomes an environment variable: use letters, digits and _, not starting with a digit`
	reservedName  = `names that start with TESTRUN_ are reserved`
	withCommand   = `containers: [{name: test, image: perl, command: [prove]}]`
	needsCommand  = `SPEC: Invalid value: a results.format other than Auto and None needs a command in the test's container: an image's own entrypoint is run as it is, and its results are not read`
	pathForFiles  = `SPEC.results: Invalid value: path says where JUnit files are: leave it out with format TAP, GoTest or None`
	badPath       = `path is relative to $TESTRUN_RESULTS and stays below it: no leading /, no .., and no signs of patterns but * and ?`

	notInEnum = `SPEC.params[0]: Invalid value: default must be one of enum`
)

var definitionRefusals = []definitionRefusal{
	{refusal: refusal{"a template without a spec", `{POD}`, `{template: {}}`, noContainers}},
	{refusal: refusal{"a template with an empty list of containers", pod(container, ``), pod(`containers: []`, ``), noContainers}},
	{refusal: refusal{"a template that does not mention containers", pod(container, ``), pod(`nodeName: a`, ``), `SPEC.template.spec.containers: Required value`}},
	{refusal: refusal{"a container without a name", pod(container, ``), pod(`containers: [{image: perl}]`, ``), `SPEC.template.spec.containers[0].name: Required value`}},
	{refusal: refusal{"restartPolicy Always", pod(container+`, restartPolicy: Never`, ``), pod(container+`, restartPolicy: Always`, ``), badRestart}},
	{refusal: refusal{"restartPolicy OnFailure", pod(container, ``), pod(container+`, restartPolicy: OnFailure`, ``), badRestart}},
	{refusal: refusal{
		"a container with a restartPolicy of its own", pod(`containers: [{name: test, image: perl, restartPolicy: Never}], initContainers: [{name: sidecar, restartPolicy: Always}]`, ``),
		pod(`containers: [{name: test, image: perl, restartPolicy: Always}]`, ``), badRestarts,
	}},
	{refusal: refusal{
		"a container with restartPolicyRules", pod(container, ``),
		pod(`containers: [{name: test, image: perl, restartPolicy: Never, restartPolicyRules: [{action: Restart, exitCodes: {operator: In, values: [1]}}]}]`, ``), badRestarts,
	}},
	{refusal: refusal{"activeDeadlineSeconds", pod(container, `, timeouts: {run: 5s}`), pod(container+`, activeDeadlineSeconds: 5`, ``), hasDeadline}},
	{refusal: refusal{"a container that is not in the template", pod(containers, `, container: db`), pod(containers, `, container: cache`), notAContainer}},
	{refusal: refusal{
		"a container that is an init container", pod(containers+`, initContainers: [{name: init}]`, `, container: db`),
		pod(containers+`, initContainers: [{name: init}]`, `, container: init`), notAContainer,
	}},
	{refusal: refusal{"an empty description", `{description: a, POD}`, `{description: "", POD}`, `SPEC.description: Invalid value: "": SPEC.description in body should be at least 1 chars long`}},
	{refusal: refusal{
		"a description too long", `{description: ` + strings.Repeat("a", 1024) + `, POD}`, `{description: ` + strings.Repeat("a", 1025) + `, POD}`,
		`SPEC.description: Too long: may not be more than 1024 bytes`,
	}},

	{refusal: refusal{"a param without a name", oneParam(`{name: A}`), oneParam(`{description: a}`), `SPEC.params[0].name: Required value`}},
	{refusal: refusal{"a param's name with a dash", oneParam(`{name: MY_PARAM}`), oneParam(`{name: my-param}`), `SPEC.params[0].name: Invalid value: "my-param": ` + badParamName}},
	{refusal: refusal{"a param's name with a dot", oneParam(`{name: my_param}`), oneParam(`{name: my.param}`), `SPEC.params[0].name: Invalid value: "my.param": ` + badParamName}},
	{refusal: refusal{"a param's name that starts with a digit", oneParam(`{name: _1st}`), oneParam(`{name: 1st}`), `SPEC.params[0].name: Invalid value: "1st": ` + badParamName}},
	{refusal: refusal{
		"a param's name too long", oneParam(`{name: ` + strings.Repeat("a", 63) + `}`), oneParam(`{name: ` + strings.Repeat("a", 64) + `}`),
		`SPEC.params[0].name: Too long: may not be more than 63 bytes`,
	}},
	{refusal: refusal{"a param's name that is reserved", oneParam(`{name: TESTRUN}`), oneParam(`{name: TESTRUN_UID}`), `SPEC.params[0].name: Invalid value: "TESTRUN_UID": ` + reservedName}},
	{refusal: refusal{"a param defined twice", `{params: [{name: A}, {name: a}], POD}`, `{params: [{name: A}, {name: A}], POD}`, `SPEC.params[1]: Duplicate value: {"name":"A"}`}},
	{refusal: refusal{"an empty list of params", oneParam(`{name: A}`), `{params: [], POD}`, `SPEC.params: Invalid value: 0: SPEC.params in body should have at least 1 items`}},
	{
		refusal: refusal{
			"a param that is required and has a default", oneParam(`{name: A, required: true}`), oneParam(`{name: A, required: true, default: ""}`),
			`SPEC.params[0]: Invalid value: a param is either required or has a default, not both`,
		},
		params: `, params: [{name: A, value: x}]`,
	},
	{refusal: refusal{"a default outside the enum", oneParam(`{name: A, default: x, enum: [x, z], required: false}`), oneParam(`{name: A, default: other, enum: [x, z]}`), notInEnum}},
	{refusal: refusal{"an empty default outside the enum", oneParam(`{name: A, default: "", enum: [x, ""]}`), oneParam(`{name: A, default: "", enum: [x]}`), notInEnum}},
	{refusal: refusal{"an enum with a value twice", oneParam(`{name: A, enum: [x, z]}`), oneParam(`{name: A, enum: [x, x]}`), `SPEC.params[0].enum[1]: Duplicate value: "x"`}},
	{refusal: refusal{"an empty enum", oneParam(`{name: A, enum: [x]}`), oneParam(`{name: A, enum: []}`), `SPEC.params[0].enum: Invalid value: 0: SPEC.params[0].enum in body should have at least 1 items`}},
	{refusal: refusal{"a default that YAML takes for a number", oneParam(`{name: A, default: "1"}`), oneParam(`{name: A, default: 1}`), `SPEC.params[0].default: Invalid value: "integer": SPEC.params[0].default in body must be of type string: "integer"`}},

	{refusal: refusal{"a start timeout of zero", `{POD, timeouts: {start: 1s}}`, `{POD, timeouts: {start: 0m}}`, `SPEC.timeouts.start: Invalid value: "0m": ` + badTimeout}},
	{refusal: refusal{"a negative run timeout", `{POD, timeouts: {run: 10m}}`, `{POD, timeouts: {run: -10m}}`, `SPEC.timeouts.run: Invalid value: "-10m": ` + badTimeout}},

	{refusal: refusal{
		"a format that nobody reads", pod(withCommand, `, results: {format: JUnit}`), pod(withCommand, `, results: {format: XUnit}`),
		`SPEC.results.format: Unsupported value: "XUnit": supported values: "Auto", "TAP", "JUnit", "GoTest", "None"`,
	}},
	{refusal: refusal{"a format without a command", pod(withCommand, `, results: {format: TAP}`), pod(container, `, results: {format: TAP}`), needsCommand}},
	{refusal: refusal{
		"a format with an empty command", pod(container, `, results: {format: None}`),
		pod(`containers: [{name: test, image: perl, command: []}]`, `, results: {format: GoTest}`), needsCommand,
	}},
	{refusal: refusal{
		"a format without a command in the container that is the test",
		pod(`containers: [{name: test, image: perl}, {name: db, image: postgres, command: [check]}]`, `, container: db, results: {format: TAP}`),
		pod(`containers: [{name: test, image: perl, command: [prove]}, {name: db, image: postgres}]`, `, container: db, results: {format: TAP}`), needsCommand,
	}},
	{refusal: refusal{"a path for what is no file", pod(withCommand, `, results: {format: JUnit, path: a.xml}`), pod(withCommand, `, results: {format: TAP, path: a.xml}`), pathForFiles}},
	{refusal: refusal{"a path from the root", pod(withCommand, `, results: {path: "tmp/*.xml"}`), pod(withCommand, `, results: {path: "/tmp/*.xml"}`), `SPEC.results.path: Invalid value: "/tmp/*.xml": ` + badPath}},
	{refusal: refusal{"a path that leaves the folder", pod(withCommand, `, results: {path: "a..b/**/..c"}`), pod(withCommand, `, results: {path: "a/../../b"}`), `SPEC.results.path: Invalid value: "a/../../b": ` + badPath}},
	{refusal: refusal{"a path with a list of characters", pod(withCommand, `, results: {path: "a?.xml"}`), pod(withCommand, `, results: {path: "a[0-9].xml"}`), `SPEC.results.path: Invalid value: "a[0-9].xml": ` + badPath}},
	{refusal: refusal{"a path with a backslash", pod(withCommand, `, results: {path: "a b.xml"}`), pod(withCommand, `, results: {path: 'a\b.xml'}`), `SPEC.results.path: Invalid value: "a\\b.xml": ` + badPath}},
	{refusal: refusal{"results that say nothing", `{POD, results: {format: Auto}}`, `{POD, results: {}}`, `SPEC.results: Invalid value: 0: SPEC.results in body should have at least 1 properties`}},

	{refusal: refusal{"a queue with a name that is not one", `{POD, queue: team-a}`, `{POD, queue: Team_A}`, `SPEC.queue: Invalid value: "Team_A": ` + badQueueName}},
	{refusal: refusal{
		"a concurrency key with a param that is not defined",
		`{POD, params: [{name: TARGET}], concurrency: {key: environment-$(TARGET)}}`, `{POD, params: [{name: TARGET}], concurrency: {key: environment-$(TARGTE)}}`,
		`SPEC: Invalid value: concurrency.key holds $(TARGTE), which params does not define`,
	}},
	{refusal: refusal{
		"a concurrency key with a param when none is defined",
		`{POD, concurrency: {key: environment-$$(TARGET)}}`, `{POD, concurrency: {key: environment-$(TARGET)}}`,
		`SPEC: Invalid value: concurrency.key holds $(TARGET), which params does not define`,
	}},
	{refusal: refusal{"a concurrency key with a param that is not closed", `{POD, concurrency: {key: a$$}}`, `{POD, concurrency: {key: "a$("}}`, `SPEC.concurrency.key: Invalid value: "a$(": ` + badReference}},
	{refusal: refusal{"a queue timeout in days", `{POD, timeouts: {queue: 24h}}`, `{POD, timeouts: {queue: 1d}}`, `SPEC.timeouts.queue: Invalid value: "1d": ` + badTimeout}},
	{refusal: refusal{"an unreachable timeout in days", `{POD, timeouts: {unreachable: 24h}}`, `{POD, timeouts: {unreachable: 1d}}`, `SPEC.timeouts.unreachable: Invalid value: "1d": ` + badTimeout}},
	{refusal: refusal{"an unknown policy for silent nodes", `{POD, retry: {unreachable: Replace}}`, `{POD, retry: {unreachable: Retry}}`, `SPEC.retry.unreachable: Unsupported value: "Retry": supported values: "Wait", "Replace"`}},
	{refusal: refusal{"a backoff in days", `{POD, retry: {backoff: {base: 0s}}}`, `{POD, retry: {backoff: {base: 1d}}}`, `SPEC.retry.backoff.base: Invalid value: "1d": ` + badDuration}},
	{refusal: refusal{"a backoff with a negative cap", `{POD, retry: {backoff: {cap: 1h30m}}}`, `{POD, retry: {backoff: {cap: -1m}}}`, `SPEC.retry.backoff.cap: Invalid value: "-1m": ` + badDuration}},
	{refusal: refusal{"too many attempts", `{POD, retry: {failure: 10}}`, `{POD, retry: {failure: 11}}`, `SPEC.retry.failure: Invalid value: 11: SPEC.retry.failure in body should be less than or equal to 10`}},
	{refusal: refusal{"fewer attempts than none", `{POD, retry: {disruption: 0}}`, `{POD, retry: {disruption: -1}}`, `SPEC.retry.disruption: Invalid value: -1: SPEC.retry.disruption in body should be greater than or equal to 0`}},
	{refusal: refusal{"exit code 0 as a failure", `{POD, retry: {exitCodes: {permanent: [1, 255]}}}`, `{POD, retry: {exitCodes: {permanent: [0]}}}`, `SPEC.retry.exitCodes.permanent[0]: Invalid value: 0: SPEC.retry.exitCodes.permanent[0] in body should be greater than or equal to 1`}},
	{refusal: refusal{"an exit code twice", `{POD, retry: {exitCodes: {infrastructure: [75]}}}`, `{POD, retry: {exitCodes: {infrastructure: [75, 75]}}}`, `SPEC.retry.exitCodes.infrastructure[1]: Duplicate value: 75`}},

	{refusal: refusal{"a ttl of passed runs in days", `{POD, retention: {ttl: {passed: 0s}}}`, `{POD, retention: {ttl: {passed: 7d}}}`, `SPEC.retention.ttl.passed: Invalid value: "7d": ` + badDuration}},
	{refusal: refusal{"a negative ttl of failed runs", `{POD, retention: {ttl: {failed: 720h}}}`, `{POD, retention: {ttl: {failed: -1h}}}`, `SPEC.retention.ttl.failed: Invalid value: "-1h": ` + badDuration}},
	{refusal: refusal{"a ttl of errors with a fraction", `{POD, retention: {ttl: {error: 1h30m}}}`, `{POD, retention: {ttl: {error: 1.5h}}}`, `SPEC.retention.ttl.error: Invalid value: "1.5h": ` + badDuration}},
	{refusal: refusal{"a ttl of timed out runs of less than a second", `{POD, retention: {ttl: {timedOut: 1s}}}`, `{POD, retention: {ttl: {timedOut: 10ms}}}`, `SPEC.retention.ttl.timedOut: Invalid value: "10ms": ` + badDuration}},
	{refusal: refusal{"a ttl of cancelled runs without a unit", `{POD, retention: {ttl: {cancelled: 0s}}}`, `{POD, retention: {ttl: {cancelled: "0"}}}`, `SPEC.retention.ttl.cancelled: Invalid value: "0": ` + badDuration}},
	{refusal: refusal{"a ttl that says nothing", `{POD, retention: {ttl: {passed: 1h}}}`, `{POD, retention: {ttl: {}}}`, `SPEC.retention.ttl: Invalid value: 0: SPEC.retention.ttl in body should have at least 1 properties`}},
	{refusal: refusal{"a retention that says nothing", `{POD}`, `{POD, retention: {}}`, `SPEC.retention: Invalid value: 0: SPEC.retention in body should have at least 1 properties`}},
}

// testRefusals are of what only a Test may say.
var testRefusals = []refusal{
	{"fewer runs kept than none", `{POD, retention: {keep: {passed: 0}}}`, `{POD, retention: {keep: {passed: -1}}}`, `spec.retention.keep.passed: Invalid value: -1: spec.retention.keep.passed in body should be greater than or equal to 0`},
	{"too many runs kept", `{POD, retention: {keep: {notPassed: 10000}}}`, `{POD, retention: {keep: {notPassed: 10001}}}`, `spec.retention.keep.notPassed: Invalid value: 10001: spec.retention.keep.notPassed in body should be less than or equal to 10000`},
	{"a keep that says nothing", `{POD, retention: {keep: {passed: 1}}}`, `{POD, retention: {keep: {}}}`, `spec.retention.keep: Invalid value: 0: spec.retention.keep in body should have at least 1 properties`},
}
