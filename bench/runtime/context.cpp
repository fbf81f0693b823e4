/*
 * Boost.Context: its raw switch (fcontext), which carries a pointer and does nothing else; and a generator as
 * Boost.Coroutine2 makes it of that.
 */
#include <boost/context/detail/fcontext.hpp>
#include <boost/coroutine2/coroutine.hpp>

#include "bench.h"

namespace context = boost::context::detail;

static void returns_control(context::transfer_t from)
{
    for (;;)
        from = context::jump_fcontext(from.fctx, nullptr);
}

static size_t repeat_switch(size_t times)
{
    static char stack[64 * 1024];
    context::fcontext_t other = context::make_fcontext(stack + sizeof stack, sizeof stack, returns_control);

    for (size_t n = 0; n < times; n += 2)
        other = context::jump_fcontext(other, nullptr).fctx;
    return (times + 1) / 2 * 2;
}

static size_t repeat_generator(size_t times)
{
    using coroutine = boost::coroutines2::coroutine<size_t>;
    coroutine::pull_type source([](coroutine::push_type &yield) {
        for (size_t n = 1;; n++)
            yield(n);
    });

    for (size_t n = 1; n <= times; n++) {
        bench_require(source.get() == n, "the generator miscounts");
        source();
    }
    return times;
}

int main(int argc, char **argv)
{
    static const bench_group groups[] = {
        {"switch", repeat_switch, nullptr},
        {"generator", repeat_generator, nullptr},
    };

    return bench_main(argc, argv, groups, sizeof groups / sizeof groups[0], 0);
}
