<?php
class FailingTest extends PHPUnit\Framework\TestCase {
    function testOpens() { $this->assertTrue(true); }
    function testAddsUp() { $this->assertSame("two\n]]> &amp; <b>", "one"); }
    function testThrows() { throw new RuntimeException("\x1b[31mred\x00"); }
    /** @dataProvider prices */
    function testPrices($price) { $this->assertLessThan(3, $price); }
    function prices() { return ["ends in {" => [1], "in 5ms" => [2], "ü ✓ # <&>" => [3], [4]]; }
    function testRisky() {}
    function testWarns() { trigger_error("a warning", E_USER_WARNING); }
}
