<?php
class PassingTest extends PHPUnit\Framework\TestCase {
    function testOpens() { $this->assertTrue(true); }
    function testAddsUp() { $this->assertSame(2, 1 + 1); }
}
