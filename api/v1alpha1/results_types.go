package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ResultsFormat names a format in which a test reports its cases.
//
// +kubebuilder:validation:Enum=Auto;TAP;JUnit;GoTest;None
type ResultsFormat string

// The formats of results.
const (
	// ResultsAuto reads all that there is: JUnit files, go test -json and TAP on standard output. It shows the first with cases.
	ResultsAuto ResultsFormat = "Auto"
	// ResultsTAP reads the Test Anything Protocol on standard output, also what prove -v makes of it.
	ResultsTAP ResultsFormat = "TAP"
	// ResultsJUnit reads JUnit XML files in the folder that $TESTRUN_RESULTS names.
	ResultsJUnit ResultsFormat = "JUnit"
	// ResultsGoTest reads on standard output what go test -json prints.
	ResultsGoTest ResultsFormat = "GoTest"
	// ResultsNone reads nothing: the exit code alone decides.
	ResultsNone ResultsFormat = "None"
)

// ResultsSpec says how the test reports its cases.
//
// +kubebuilder:validation:MinProperties=1
// +kubebuilder:validation:XValidation:rule="!has(self.path) || !has(self.format) || self.format in ['Auto', 'JUnit']",message="path says where JUnit files are: leave it out with format TAP, GoTest or None"
type ResultsSpec struct {
	// format is Auto, TAP, JUnit, GoTest or None. TAP and GoTest are read from the test's standard output, JUnit from files.
	// A run whose test has one of these three and reports no case ends with verdict Error. Auto takes what it finds,
	// and None reads nothing: then the exit code decides. Unset means Auto.
	//
	// +optional
	Format ResultsFormat `json:"format,omitempty"`

	// path is where the JUnit files are below the folder that $TESTRUN_RESULTS names: a file's path, or a pattern in which
	// * stands for any part of a name, ? for one character of it and ** for any folders. Unset means **/*.xml.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:XValidation:rule="!self.startsWith('/') && !self.matches(r'[][{}\\\\]|(^|/)[.][.](/|$)')",message="path is relative to $TESTRUN_RESULTS and stays below it: no leading /, no .., and no signs of patterns but * and ?"
	Path string `json:"path,omitempty"`
}

// Outcome says how a case ended.
//
// +kubebuilder:validation:Enum=Passed;Failed;Errored;Skipped
type Outcome string

// The outcomes.
const (
	// OutcomePassed means that the case succeeded.
	OutcomePassed Outcome = "Passed"
	// OutcomeFailed means that the case ran and did not succeed.
	OutcomeFailed Outcome = "Failed"
	// OutcomeErrored means that the case could not be run to its end.
	OutcomeErrored Outcome = "Errored"
	// OutcomeSkipped means that the case was not run, or that its failing is expected for now.
	OutcomeSkipped Outcome = "Skipped"
)

// Results are what the test reported of its cases.
type Results struct {
	// format is the one in which the cases were reported: TAP, JUnit or GoTest.
	//
	// +required
	Format ResultsFormat `json:"format,omitempty"`

	// summary is the number of cases that passed over the number of all, such as 41/42.
	//
	// +required
	// +kubebuilder:validation:MinLength=3
	// +kubebuilder:validation:MaxLength=64
	Summary string `json:"summary,omitempty"`

	// total is the number of cases.
	//
	// +required
	// +kubebuilder:validation:Minimum=0
	Total int64 `json:"total"`

	// passed is the number of cases that succeeded.
	//
	// +required
	// +kubebuilder:validation:Minimum=0
	Passed int64 `json:"passed"`

	// failed is the number of cases that ran and did not succeed.
	//
	// +required
	// +kubebuilder:validation:Minimum=0
	Failed int64 `json:"failed"`

	// errored is the number of cases that could not be run to their end.
	//
	// +required
	// +kubebuilder:validation:Minimum=0
	Errored int64 `json:"errored"`

	// skipped is the number of cases that were not run, or whose failing is expected for now.
	//
	// +required
	// +kubebuilder:validation:Minimum=0
	Skipped int64 `json:"skipped"`

	// flaky is the number of passed cases that had failed in an earlier attempt of the same run. Unset if there are none.
	//
	// +optional
	// +kubebuilder:validation:Minimum=1
	Flaky int64 `json:"flaky,omitempty"`

	// duration is the time that the cases took, added up, such as 1.234s. Unset if the test reports no times.
	//
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:Pattern=`^([0-9]{1,5}([.][0-9]{1,9})?(h|m|s|ms)){1,3}$`
	Duration *metav1.Duration `json:"duration,omitempty"`

	// cases are up to 50 of the cases: first those that failed or errored, then the flaky ones, then those that were
	// skipped, then those that passed. Unset if there are none.
	//
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=50
	Cases []Case `json:"cases,omitempty"`

	// truncated means that cases holds fewer than the test reported. Unset means that it holds all.
	//
	// +optional
	Truncated *bool `json:"truncated,omitempty"`
}

// Case is one case of a test.
type Case struct {
	// name is the name that the test gives to the case, cut with the mark … if it is longer than 256 bytes.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Name string `json:"name,omitempty"`

	// suite is what the case belongs to: a file, a class or a package. Unset if the test does not say.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Suite string `json:"suite,omitempty"`

	// outcome is Passed, Failed, Errored or Skipped.
	//
	// +required
	Outcome Outcome `json:"outcome,omitempty"`

	// duration is how long the case took, such as 12ms or 1.234s. Unset if the test does not say.
	//
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:Pattern=`^([0-9]{1,5}([.][0-9]{1,9})?(h|m|s|ms)){1,3}$`
	Duration *metav1.Duration `json:"duration,omitempty"`

	// location is where in the source the case stands or failed, such as till_test.go:9, cut with the mark … if it is longer than
	// 256 bytes. Unset if the test does not say.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Location string `json:"location,omitempty"`

	// flaky means that the case passed, and had failed in an earlier attempt of the same run. Unset means that it did not.
	//
	// +optional
	Flaky *bool `json:"flaky,omitempty"`

	// message says why the case did not pass, or why the first attempt of a flaky case did not. It is cut with the mark … if there
	// is no room for all of it.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Message string `json:"message,omitempty"`
}
