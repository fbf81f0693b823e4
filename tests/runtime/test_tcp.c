/* Connections, mostly of loopback TCP: accept, connect, and servers of many connections. */
#include "io_support.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

static int listener;
static struct sockaddr_in address;

static int use_listener(void **state)
{
    socklen_t len = sizeof address;

    address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    ends[0] = ends[1] = -1;
    listener = vr_socket(AF_INET, SOCK_STREAM, 0);
    return listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof address) < 0 ||
           getsockname(listener, (struct sockaddr *)&address, &len) < 0 || use_virtual_clock(state);
}

static int close_listener(void **state)
{
    if (listener >= 0)
        vr_close(listener);
    return close_pair(state);
}

static bool is_nonblocking_and_closed_on_exec(int fd)
{
    return fcntl(fd, F_GETFL) & O_NONBLOCK && fcntl(fd, F_GETFD) & FD_CLOEXEC;
}

static vr_result accepts(void *argument)
{
    return vr_ok(number(vr_accept(listener, NULL, NULL, VR_FOREVER)));
}

static void accept_and_connect_meet(void **state)
{
    struct sockaddr_in peer = {0}, own = {0};
    socklen_t peer_len = sizeof peer, own_len = sizeof own;

    assert_int_equal(listen(listener, 8), 0);
    assert_true(is_nonblocking_and_closed_on_exec(listener));
    ends[1] = vr_socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(vr_connect(ends[1], (struct sockaddr *)&address, sizeof address, VR_FOREVER), 0);
    ends[0] = vr_accept(listener, (struct sockaddr *)&peer, &peer_len, VR_FOREVER);
    assert_true(ends[0] >= 0);
    assert_true(is_nonblocking_and_closed_on_exec(ends[0]));
    assert_int_equal(getsockname(ends[1], (struct sockaddr *)&own, &own_len), 0);
    assert_int_equal(peer_len, sizeof peer);
    assert_int_equal(peer.sin_port, own.sin_port);
    vr_greenlet *reader = waiting(reads);
    assert_int_equal(vr_send(ends[1], "hello", 5, VR_FOREVER), 5);
    assert_returns(reader, 5);
}

static void accept_parks_until_someone_connects(void **state)
{
    assert_int_equal(listen(listener, 8), 0);
    vr_greenlet *acceptor = waiting(accepts);
    assert_int_equal(vr_accept(listener, NULL, NULL, VR_FOREVER), -EBUSY);
    ends[1] = vr_socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(vr_connect(ends[1], (struct sockaddr *)&address, sizeof address, VR_FOREVER), 0);
    assert_int_equal(vr_join(acceptor, VR_FOREVER), 0);
    ends[0] = (int)number_of(vr_value(acceptor));
    assert_true(ends[0] >= 0);
    vr_unref(acceptor);
}

static void accept_gives_up_after_its_timeout(void **state)
{
    assert_int_equal(listen(listener, 8), 0);
    assert_int_equal(vr_accept(listener, NULL, NULL, VR_SECONDS(1)), -ETIMEDOUT);
    assert_int_equal(vr_now(), VR_SECONDS(1));
}

static void kill_of_an_acceptor_leaves_the_connection_to_the_next(void **state)
{
    assert_int_equal(listen(listener, 8), 0);
    vr_greenlet *acceptor = waiting(accepts);
    ends[1] = vr_socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(vr_connect(ends[1], (struct sockaddr *)&address, sizeof address, VR_FOREVER), 0);
    vr_kill(acceptor, -EIO);
    assert_int_equal(vr_join(acceptor, VR_FOREVER), 0);
    ends[0] = (int)number_of(vr_value(acceptor));
    vr_unref(acceptor);
    /* It has accepted in its turn, before the kill, or it never has. */
    if (ends[0] == -EIO)
        ends[0] = vr_accept(listener, NULL, NULL, VR_FOREVER);
    assert_true(ends[0] >= 0);
}

static vr_result connects_to_silence(void *argument)
{
    int fd = vr_socket(AF_INET, SOCK_STREAM, 0), error = 0;

    /* Until the listener's queue is full, and it answers no more. */
    while (error == 0) {
        vr_close(fd);
        fd = vr_socket(AF_INET, SOCK_STREAM, 0);
        error = vr_connect(fd, (struct sockaddr *)&address, sizeof address, VR_FOREVER);
    }
    vr_close(fd);
    return vr_fail(error);
}

static void kill_ends_a_connect(void **state)
{
    assert_int_equal(listen(listener, 0), 0);
    vr_greenlet *client = vr_spawn(connects_to_silence, NULL);
    assert_int_equal(vr_join(client, VR_SECONDS(1)), -ETIMEDOUT);
    vr_kill(client, -EIO);
    assert_ends_with(client, -EIO);
}

static void close_of_a_listener_wakes_the_acceptor(void **state)
{
    assert_int_equal(listen(listener, 8), 0);
    vr_greenlet *acceptor = waiting(accepts);
    vr_close(listener);
    listener = -1;
    assert_returns(acceptor, -EBADF);
}

static void connect_to_a_port_without_listener_is_refused(void **state)
{
    ends[0] = vr_socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(vr_connect(ends[0], (struct sockaddr *)&address, sizeof address, VR_FOREVER), -ECONNREFUSED);
}

static void connect_gives_up_after_its_timeout(void **state)
{
    enum { ATTEMPTS = 8 };
    int clients[ATTEMPTS], count = 0, result = 0;

    /* A listener that accepts nothing: soon it takes no more connections, and answers nothing to those that ask. */
    assert_int_equal(listen(listener, 0), 0);
    while (count < ATTEMPTS && result == 0) {
        clients[count] = vr_socket(AF_INET, SOCK_STREAM, 0);
        result = vr_connect(clients[count++], (struct sockaddr *)&address, sizeof address, VR_SECONDS(1));
    }
    assert_int_equal(result, -ETIMEDOUT);
    assert_int_equal(vr_now(), VR_SECONDS(1));
    while (count)
        vr_close(clients[--count]);
}

static void connect_to_a_unix_listener_whose_backlog_is_full_fails_at_once(void **state)
{
    struct sockaddr_un local = {.sun_family = AF_UNIX};
    socklen_t len = sizeof local.sun_family;
    int unix_listener = vr_socket(AF_UNIX, SOCK_STREAM, 0);

    ends[0] = vr_socket(AF_UNIX, SOCK_STREAM, 0);
    ends[1] = vr_socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(unix_listener, (struct sockaddr *)&local, len), 0); /* the system chooses a name */
    assert_int_equal(listen(unix_listener, 0), 0);
    len = sizeof local;
    assert_int_equal(getsockname(unix_listener, (struct sockaddr *)&local, &len), 0);
    assert_int_equal(vr_connect(ends[0], (struct sockaddr *)&local, len, VR_FOREVER), 0);
    assert_int_equal(vr_connect(ends[1], (struct sockaddr *)&local, len, VR_FOREVER), -EAGAIN);
    vr_close(unix_listener);
}

static void socket_reports_what_the_system_says(void **state)
{
    assert_int_equal(vr_socket(-1, SOCK_STREAM, 0), -EAFNOSUPPORT);
    int fd = vr_socket(AF_INET, SOCK_DGRAM, 0);
    assert_true(is_nonblocking_and_closed_on_exec(fd));
    vr_close(fd);
}

enum { CLIENTS = 50 };

/* Sends back all that comes, to the end of the stream. */
static vr_result echoes_connection(void *fd)
{
    char octets[64];
    ssize_t n;

    while ((n = vr_read((int)number_of(fd), octets, sizeof octets, VR_FOREVER)) > 0)
        if ((n = vr_send((int)number_of(fd), octets, (size_t)n, VR_FOREVER)) < 0)
            break;
    vr_close((int)number_of(fd));
    return n ? vr_fail(n) : vr_ok(NULL);
}

static vr_result serves(void *argument)
{
    for (int i = 0; i < CLIENTS; i++) {
        int fd = vr_accept(listener, NULL, NULL, VR_FOREVER);
        if (fd < 0)
            return vr_fail(fd);
        vr_unref(vr_spawn(echoes_connection, number(fd)));
    }
    return vr_ok(NULL);
}

/* Ten round trips over a connection of its own; the value is how many went well. */
static vr_result is_client(void *argument)
{
    int fd = vr_socket(AF_INET, SOCK_STREAM, 0);
    intptr_t good = 0;

    if (vr_connect(fd, (struct sockaddr *)&address, sizeof address, VR_FOREVER) == 0) {
        for (int i = 0; i < 10; i++) {
            char sent = (char)(number_of(argument) + i), back = 0;
            vr_send(fd, &sent, 1, VR_FOREVER);
            good += vr_read(fd, &back, 1, VR_FOREVER) == 1 && back == sent;
        }
    }
    vr_close(fd);
    return vr_ok(number(good));
}

static void many_connections_are_served_at_once(void **state)
{
    vr_greenlet *clients[CLIENTS];

    assert_int_equal(listen(listener, CLIENTS), 0);
    vr_greenlet *server = vr_spawn(serves, NULL);
    for (int i = 0; i < CLIENTS; i++)
        clients[i] = vr_spawn(is_client, number(i));
    for (int i = 0; i < CLIENTS; i++)
        assert_returns(clients[i], 10);
    assert_ends_with(server, 0);
    assert_int_equal(vr_hub_join(VR_FOREVER), 0);
}

#define tcp_test(function) cmocka_unit_test_setup_teardown(function, use_listener, close_listener)

int main(void)
{
    const struct CMUnitTest tests[] = {
        tcp_test(accept_and_connect_meet),
        tcp_test(accept_parks_until_someone_connects),
        tcp_test(accept_gives_up_after_its_timeout),
        tcp_test(kill_of_an_acceptor_leaves_the_connection_to_the_next),
        tcp_test(kill_ends_a_connect),
        tcp_test(close_of_a_listener_wakes_the_acceptor),
        tcp_test(connect_to_a_port_without_listener_is_refused),
        tcp_test(connect_gives_up_after_its_timeout),
        tcp_test(connect_to_a_unix_listener_whose_backlog_is_full_fails_at_once),
        tcp_test(socket_reports_what_the_system_says),
        tcp_test(many_connections_are_served_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
