//go:build !linux

package daemon

import "syscall"

func processOf(who *syscall.Credential, _ syscall.Signal) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Credential: who}
}
