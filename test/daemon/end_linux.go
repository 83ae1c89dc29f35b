package daemon

import "syscall"

// processOf lets a server run as somebody, and end when the tests are killed.
func processOf(who *syscall.Credential, end syscall.Signal) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Credential: who, Pdeathsig: end}
}
