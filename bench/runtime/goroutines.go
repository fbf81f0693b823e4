// Go's goroutines on one processor, with the runtime's defaults otherwise. Options and output are those of bench.h.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"log"
	"net"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	many    = 1000
	timers  = 100000
	parked  = 1000000
	pairs   = 100
	message = 32
)

// cpu is the process's time, user and system.
func cpu() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		log.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func report(row string, figure float64) {
	fmt.Printf("%s\t%.4g\n", row, figure)
}

// --- Yielding

func yieldAmong(count, times int) int {
	var group sync.WaitGroup
	each := (times + count - 1) / count
	group.Add(count)
	for i := 0; i < count; i++ {
		go func() {
			for n := 0; n < each; n++ {
				runtime.Gosched()
			}
			group.Done()
		}()
	}
	group.Wait()
	return each * count
}

func yieldFromTwoSites(times int) int {
	var group sync.WaitGroup
	each := (times + 3) / 4 * 2
	group.Add(2)
	go func() {
		for n := 0; n < each; n++ {
			runtime.Gosched()
		}
		group.Done()
	}()
	go func() {
		for n := 0; n < each; n += 2 {
			runtime.Gosched()
			runtime.Gosched()
		}
		group.Done()
	}()
	group.Wait()
	return each * 2
}

// --- Giving

// give has two goroutines give to each other by turns; receive takes a value from a channel.
func give(times int, receive func(chan int, *time.Timer)) int {
	there, back, done := make(chan int), make(chan int), make(chan bool)
	each := (times + 1) / 2
	go func() {
		timer := time.NewTimer(time.Hour)
		for n := 0; n < each; n++ {
			receive(there, timer)
			back <- 1
		}
		done <- true
	}()
	go func() {
		timer := time.NewTimer(time.Hour)
		for n := 0; n < each; n++ {
			there <- 1
			receive(back, timer)
		}
		done <- true
	}()
	<-done
	<-done
	return each * 2
}

func receive(from chan int, _ *time.Timer) {
	<-from
}

func receiveInTime(from chan int, timer *time.Timer) {
	timer.Reset(5 * time.Second)
	select {
	case <-from:
		timer.Stop()
	case <-timer.C:
		log.Fatal("a timeout")
	}
}

// --- Spawning and joining

func spawnJoin(times int) int {
	done := make(chan bool)
	for n := 0; n < times; n++ {
		go func() { done <- true }()
		<-done
	}
	return times
}

func spawnJoinMany(times int) int {
	var group sync.WaitGroup
	done := 0
	for ; done < times; done += many {
		group.Add(many)
		for i := 0; i < many; i++ {
			go group.Done()
		}
		group.Wait()
	}
	return done
}

// --- Timers

var stopped []*time.Timer

func startAndStop(durations, times int) int {
	for len(stopped) < timers {
		timer := time.NewTimer(time.Hour)
		timer.Stop()
		stopped = append(stopped, timer)
	}
	done := 0
	for ; done < times; done += timers {
		for i, timer := range stopped {
			timer.Reset(100*time.Second + time.Duration(i%durations)*time.Millisecond)
		}
		for _, timer := range stopped {
			timer.Stop()
		}
	}
	return done
}

// --- Input and output

func connection(fd int) net.Conn {
	file := os.NewFile(uintptr(fd), "pair")
	defer file.Close()
	conn, err := net.FileConn(file)
	if err != nil {
		log.Fatal(err)
	}
	return conn
}

func play(conn net.Conn, asks bool, messages int, done func()) {
	defer done()
	buffer := make([]byte, 512)
	if asks {
		conn.Write(buffer[:message])
	}
	for n := messages; n > 0; n-- {
		if length, err := conn.Read(buffer); err != nil || length != message {
			log.Fatal("read: ", length, err)
		}
		if n > 1 || !asks {
			conn.Write(buffer[:message])
		}
	}
	conn.Close()
}

func pingpong(count, times int) int {
	var group sync.WaitGroup
	each := (times + count - 1) / count
	group.Add(2 * count)
	for i := 0; i < count; i++ {
		fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
		if err != nil {
			log.Fatal(err)
		}
		go play(connection(fds[0]), true, each, group.Done)
		go play(connection(fds[1]), false, each, group.Done)
	}
	group.Wait()
	return each * count
}

// --- Parking

// memory is what is resident with its page tables, in KiB, and the number of mappings.
func memory() (kib, mappings float64) {
	status, err := os.Open("/proc/self/status")
	if err != nil {
		log.Fatal(err)
	}
	defer status.Close()
	for lines := bufio.NewScanner(status); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if fields[0] == "VmRSS:" || fields[0] == "VmPTE:" {
			n, _ := strconv.ParseFloat(fields[1], 64)
			kib += n
		}
	}
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		log.Fatal(err)
	}
	return kib, float64(strings.Count(string(maps), "\n"))
}

func park(count int) {
	spawnJoin(1)
	runtime.GC()
	before, mappingsBefore := memory()
	start := cpu()
	started, never := make(chan bool), make(chan bool)
	for i := 0; i < count; i++ {
		go func() {
			started <- true
			<-never
		}()
	}
	for i := 0; i < count; i++ {
		<-started
	}
	spent := cpu() - start
	now, mappings := memory()
	report("parked_memory", (now-before)/float64(count))
	report("parked_mappings", mappings-mappingsBefore)
	report("parked_spawn", float64(spent)/float64(count))
}

// --- The program

type group struct {
	name   string
	repeat func(times int) int
}

var groups = []group{
	{"yield_2", func(times int) int { return yieldAmong(2, times) }},
	{"yield_sites", yieldFromTwoSites},
	{"yield_1000", func(times int) int { return yieldAmong(many, times) }},
	{"give", func(times int) int { return give(times, receive) }},
	{"give_timeout", func(times int) int { return give(times, receiveInTime) }},
	{"spawn_join", spawnJoin},
	{"spawn_join_1000", spawnJoinMany},
	{"timers_one", func(times int) int { return startAndStop(1, times) }},
	{"timers_1000", func(times int) int { return startAndStop(1000, times) }},
	{"pingpong", func(times int) int { return pingpong(1, times) }},
	{"pingpong_100", func(times int) int { return pingpong(pairs, times) }},
}

func measure(g group, enough time.Duration) {
	g.repeat(1000) // what is set up once
	for times := 1000; ; times *= 2 {
		start := cpu()
		done := g.repeat(times)
		if spent := cpu() - start; spent >= enough {
			report(g.name, float64(spent)/float64(done))
			return
		}
	}
}

func main() {
	quick := flag.Bool("quick", false, "a short run")
	flag.Parse()
	enough, count := 150*time.Millisecond, parked
	if *quick {
		enough, count = time.Millisecond, parked/100
	}
	wanted := map[string]bool{}
	for _, name := range flag.Args() {
		wanted[name] = true
	}
	runtime.GOMAXPROCS(1)
	for _, g := range groups {
		if len(wanted) == 0 || wanted[g.name] {
			measure(g, enough)
		}
	}
	if len(wanted) == 0 || wanted["parked"] {
		park(count)
	}
}
